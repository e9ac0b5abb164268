/// Takes a body of `multipart/form-data` (RFC 7578) apart as it comes, for uploads from browsers: fields first, then
/// one file.
///
/// Memory stays bounded: all fields together, and the head of each part, have limits; the file is passed on at once.
package struct FormDataDecoder: Sendable {
    /// The most that fields before the file may have together, in bytes (S3 user guide, "HTML form fields").
    package static let maximumFieldLength = 20 << 10
    /// The largest head of a part, in bytes.
    static let maximumHeadLength = 4 << 10
    /// The most fields.
    static let maximumFields = 500

    /// What was found.
    package enum Event: Sendable, Hashable {
        /// The file begins: all fields that count have come.
        case file(FormFields)
        /// Bytes of the file, as a range of what was given to `decode`.
        case content(Range<Int>)
        /// Bytes of the file that came with an earlier call.
        case held([UInt8])
    }

    private enum State { case start, head, field(name: String), file, done }

    /// `\r\n--` and the boundary.
    private let delimiter: [UInt8]
    private var state = State.start
    /// Of what comes before the file, what is not taken apart yet; of the file, what may be the start of a delimiter.
    private var pending: [UInt8] = []
    private var fields = FormFields()
    private var fieldLength = 0

    /// - Parameter contentType: the media type of the body.
    /// - Throws: `S3Error` with `malformedPOSTRequest` where it is another or names no boundary that can be.
    package init(contentType: String) throws(S3Error) {
        let header = HeaderParameters(contentType)
        guard header.value.lowercased() == "multipart/form-data", let boundary = header["boundary"],
            (1...70).contains(boundary.utf8.count), boundary.utf8.allSatisfy({ (0x20...0x7E).contains($0) }),
            boundary.utf8.last != UInt8(ascii: " ")
        else { throw S3Error(.malformedPOSTRequest) }
        delimiter = Array("\r\n--\(boundary)".utf8)
        // So that the first delimiter, which has no line before it, is one like the others.
        pending = [0x0D, 0x0A]
    }

    /// Takes the next bytes.
    ///
    /// - Throws: `S3Error` with `malformedPOSTRequest`, `maximumPostPreDataLengthExceeded`.
    package mutating func decode(_ input: UnsafeRawBufferPointer) throws(S3Error) -> [Event] {
        switch state {
        case .done: return []
        case .file: return content(input, from: 0)
        case .start, .head, .field: break
        }
        // Fields are small: they are collected. What exceeds their limits is at most this input.
        var consumed = 0
        var events: [Event] = []
        while consumed < input.count {
            let step = min(input.count - consumed, Self.maximumHeadLength)
            pending.append(contentsOf: input[consumed..<consumed + step])
            consumed += step
            guard try takeFields() else { continue }
            events.append(.file(fields))
            // What is left over belongs to the file, and ends where `consumed` is.
            let rest = pending
            pending = []
            rest.withUnsafeBytes { bytes in
                for event in content(bytes, from: 0) {
                    if case .content(let range) = event {
                        events.append(.held(Array(rest[range])))
                    } else {
                        events.append(event)
                    }
                }
            }
            if case .file = state { events += content(input, from: consumed) }
            return events
        }
        return events
    }

    /// Says that the body has ended.
    ///
    /// - Throws: `S3Error` with `malformedPOSTRequest` where it ended too early, and
    ///   `incorrectNumberOfFilesInPostRequest` where it had no file.
    package func finish() throws(S3Error) {
        switch state {
        case .done: return
        case .head where pending.elementsEqual("--".utf8) || pending.elementsEqual("--\r\n".utf8):
            throw S3Error(.incorrectNumberOfFilesInPostRequest)
        case .start, .head, .field, .file: throw S3Error(.malformedPOSTRequest)
        }
    }

    /// Takes what is pending apart.
    ///
    /// - Returns: whether the file has begun; then what is pending is its content.
    private mutating func takeFields() throws(S3Error) -> Bool {
        while true {
            switch state {
            case .start:
                guard pending.count >= delimiter.count else { return false }
                guard pending.starts(with: delimiter) else { throw S3Error(.malformedPOSTRequest) }
                pending.removeFirst(delimiter.count)
                state = .head
            case .head:
                guard let part = try takeHead() else { return false }
                guard let name = part.name else { throw S3Error(.malformedPOSTRequest) }
                if name.lowercased() == "file" {
                    fields.fileName = part.fileName ?? ""
                    state = .file
                    return true
                }
                state = .field(name: name)
            case .field(let name):
                guard let end = pending.firstRange(of: delimiter) else {
                    try count(0, pending: pending.count - delimiter.count)
                    return false
                }
                try count(name.utf8.count + end.lowerBound)
                guard let value = String(validating: pending[..<end.lowerBound], as: UTF8.self) else {
                    throw S3Error(.malformedPOSTRequest)
                }
                guard fields.count < Self.maximumFields else { throw S3Error(.maximumPostPreDataLengthExceeded) }
                fields.append(name, value)
                pending.removeFirst(end.upperBound)
                state = .head
            case .file, .done: return true
            }
        }
    }

    private mutating func count(_ length: Int, pending: Int = 0) throws(S3Error) {
        fieldLength += length
        guard fieldLength + pending <= Self.maximumFieldLength else {
            throw S3Error(.maximumPostPreDataLengthExceeded)
        }
    }

    /// Reads what stands between a delimiter and the content of its part; `nil` where it is not all there.
    private mutating func takeHead() throws(S3Error) -> PartHead? {
        let end: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A]
        guard pending.count >= 2 else { return nil }
        // Another boundary may begin as this one does; white space at its end is allowed, but nobody sends it.
        guard pending.starts(with: [0x0D, 0x0A]) else {
            guard pending.starts(with: "--".utf8) else { throw S3Error(.malformedPOSTRequest) }
            guard pending.count <= 4 else { throw S3Error(.incorrectNumberOfFilesInPostRequest) }
            return nil
        }
        guard let found = pending.firstRange(of: end) else {
            guard pending.count <= Self.maximumHeadLength else { throw S3Error(.malformedPOSTRequest) }
            return nil
        }
        guard found.lowerBound <= Self.maximumHeadLength else { throw S3Error(.malformedPOSTRequest) }
        let head = try PartHead(lines: pending[2..<max(2, found.lowerBound)])
        pending.removeFirst(found.upperBound)
        return head
    }

    /// Passes the file's bytes on, all but what may be the start of its end.
    private mutating func content(_ input: UnsafeRawBufferPointer, from start: Int) -> [Event] {
        var events: [Event] = []
        var start = start
        if !pending.isEmpty {
            // A delimiter may lie across the border: look at its neighbourhood alone.
            let border = pending + input[start..<min(input.count, start + delimiter.count)]
            if let end = border.firstRange(of: delimiter), end.lowerBound < pending.count {
                if end.lowerBound > 0 { events.append(.held(Array(border[..<end.lowerBound]))) }
                pending = []
                state = .done
                return events
            }
            guard input.count - start >= delimiter.count else {
                let kept = Self.possibleStart(of: delimiter, atEndOf: border)
                if kept < border.count { events.append(.held(Array(border[..<(border.count - kept)]))) }
                pending = Array(border[(border.count - kept)...])
                return events
            }
            events.append(.held(pending))
            pending = []
        }
        var place = start
        while place < input.count {
            guard input[place] == 0x0D else {
                place += 1
                continue
            }
            let available = min(delimiter.count, input.count - place)
            guard input[place..<place + available].elementsEqual(delimiter[..<available]) else {
                place += 1
                continue
            }
            if start < place { events.append(.content(start..<place)) }
            if available == delimiter.count {
                state = .done
            } else {
                pending = Array(input[place...])
            }
            return events
        }
        if start < place { events.append(.content(start..<place)) }
        start = place
        return events
    }

    /// How many bytes at the end may be the beginning of the delimiter.
    private static func possibleStart(of delimiter: [UInt8], atEndOf bytes: [UInt8]) -> Int {
        for length in stride(from: min(bytes.count, delimiter.count - 1), to: 0, by: -1)
        where bytes[(bytes.count - length)...].elementsEqual(delimiter[..<length]) {
            return length
        }
        return 0
    }
}

extension [UInt8] {
    /// Where those bytes stand first.
    fileprivate func firstRange(of wanted: [UInt8]) -> Range<Int>? {
        guard let first = wanted.first, count >= wanted.count else { return nil }
        for start in 0...(count - wanted.count)
        where self[start] == first && self[start..<start + wanted.count].elementsEqual(wanted) {
            return start..<start + wanted.count
        }
        return nil
    }
}
