import Glibc

/// Leads the connections that arrive at a socket to a port of this machine's loopback.
///
/// Each direction holds one piece at a time, so that whoever is slow slows down the other side.
struct Relay {
    /// More connections than this wait until others have ended.
    private static let mostConnections = 1000

    let listener: Int32
    let port: UInt16
    private var connections: [Connection] = []

    init(listener: Int32, port: UInt16) {
        Descriptors.setNonBlocking(listener)
        (self.listener, self.port) = (listener, port)
    }

    func addToPoll(_ polled: inout [pollfd]) {
        let hasRoom = connections.count < Self.mostConnections
        polled.append(pollfd(fd: hasRoom ? listener : -1, events: Int16(POLLIN), revents: 0))
        for connection in connections { connection.addToPoll(&polled) }
    }

    /// - Parameter polled: what `addToPoll` added.
    mutating func act(on polled: ArraySlice<pollfd>) {
        var index = polled.startIndex + 1
        for connection in connections {
            if polled[index].revents != 0 || polled[index + 1].revents != 0 { connection.advance() }
            index += 2
        }
        connections.removeAll(where: \.isOver)
        if let first = polled.first, first.revents != 0 { accept() }
    }

    private mutating func accept() {
        while connections.count < Self.mostConnections {
            let outer = Glibc.accept(listener, nil, nil)
            guard outer >= 0 else { return }
            _ = fcntl(outer, F_SETFD, FD_CLOEXEC)
            Descriptors.setNonBlocking(outer)
            let inner = Loopback.connect(to: port)
            guard inner >= 0 else {
                close(outer)
                continue
            }
            let connection = Connection(outer: outer, inner: inner)
            connection.advance()
            if !connection.isOver { connections.append(connection) }
        }
    }
}

/// One connection that is led on.
private final class Connection {
    private let forward: Direction
    private let backward: Direction
    private let sockets: (outer: Int32, inner: Int32)
    /// Whether both sockets are closed.
    private(set) var isOver = false

    init(outer: Int32, inner: Int32) {
        sockets = (outer, inner)
        forward = Direction(from: outer, to: inner)
        backward = Direction(from: inner, to: outer)
    }

    func addToPoll(_ polled: inout [pollfd]) {
        let outer = (forward.wantsToRead ? POLLIN : 0) | (backward.wantsToWrite ? POLLOUT : 0)
        let inner = (backward.wantsToRead ? POLLIN : 0) | (forward.wantsToWrite ? POLLOUT : 0)
        // A side that nothing is wanted of would tell of its end again and again.
        polled.append(pollfd(fd: outer == 0 ? -1 : sockets.outer, events: Int16(outer), revents: 0))
        polled.append(pollfd(fd: inner == 0 ? -1 : sockets.inner, events: Int16(inner), revents: 0))
    }

    /// Moves what can be moved.
    func advance() {
        guard !isOver else { return }
        forward.advance()
        backward.advance()
        guard forward.isBroken || backward.isBroken || (forward.hasEnded && backward.hasEnded) else { return }
        close(sockets.outer)
        close(sockets.inner)
        isOver = true
    }
}

/// One direction of a connection.
private final class Direction {
    private let from: Int32
    private let to: Int32
    private var buffer: UnsafeMutableRawBufferPointer?
    private var waiting = 0..<0
    private var isAtEnd = false
    private(set) var hasEnded = false
    private(set) var isBroken = false

    init(from: Int32, to: Int32) { (self.from, self.to) = (from, to) }

    deinit { buffer?.deallocate() }

    var wantsToRead: Bool { waiting.isEmpty && !isAtEnd }
    var wantsToWrite: Bool { !waiting.isEmpty }

    func advance() {
        while !hasEnded, !isBroken {
            if waiting.isEmpty, isAtEnd {
                shutdown(to, Int32(SHUT_WR))
                hasEnded = true
                return
            }
            guard waiting.isEmpty ? fill() : drain() else { return }
        }
    }

    /// Whether something was read, or the end.
    private func fill() -> Bool {
        let memory = buffer ?? .allocate(byteCount: 64 << 10, alignment: 16)
        buffer = memory
        let count = read(from, memory.baseAddress, memory.count)
        if count > 0 {
            waiting = 0..<count
        } else if count == 0 {
            isAtEnd = true
        } else {
            check()
            // An idle connection needs no memory.
            memory.deallocate()
            buffer = nil
            return false
        }
        return true
    }

    /// Whether something was written.
    private func drain() -> Bool {
        let start = waiting.lowerBound
        let count = send(to, buffer?.baseAddress.map { $0 + start }, waiting.count, Int32(MSG_NOSIGNAL))
        guard count > 0 else {
            check()
            return false
        }
        waiting = (start + count)..<waiting.upperBound
        return true
    }

    private func check() {
        if ![EAGAIN, EINTR].contains(errno) { isBroken = true }
    }
}
