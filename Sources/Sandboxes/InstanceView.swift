import Glibc
import Model
import SystemPackage

/// How an instance's programs see their files.
struct InstanceView: Sendable {
    /// What every program sees, before the variables of the service.
    var environment: [String: String]
    /// What wins over the variables of the service.
    var fixed: [String: String]
    var script: String
    var workingDirectory: String
    var home: String
    var temporary: String
    /// Whether the programs have ports of their own.
    var hasOwnNetwork: Bool
    /// Where invocations' directories are while they run; `nil` where the programs see them where they are.
    var exchange: InstanceExchange?
    /// Where the files of small calls are.
    var callExchange: InstanceExchange
    /// The image's own command, where that is started instead of the script.
    var imageCommand: [String]?

    /// The command that runs the program.
    var command: [String] { imageCommand ?? ["/bin/sh", script] }

    /// The variables that all programs of the instance see.
    func common(_ specification: InstanceSpecification) -> [String: String] {
        var all = environment
        all.merge(specification.environment) { $1 }
        all.merge(["HOME": home, "TMPDIR": temporary]) { $1 }
        all.merge(fixed) { $1 }
        return all
    }
}

extension [String: String] {
    /// Each `NAME=value`, in an order that depends on nothing else.
    var lines: [String] { map { "\($0.key)=\($0.value)" }.sorted() }

    /// What is not so in the others.
    func difference(from others: [String: String]) -> [String: String] { filter { others[$0.key] != $0.value } }
}

/// An invocation's directories as its programs see them.
package struct InstancePlaces: Sendable {
    package var input: String
    package var output: String
    /// Empty for none.
    var standardInput: String
}

/// The directory through which a container gets the directories of its invocations and gives them back.
///
/// What is in it can be changed by the container at any time, so nothing in it is followed or trusted.
struct InstanceExchange: Sendable {
    let outside: FilePath
    let inside: String
    /// Whether the programs have another user than this one.
    let isForAnotherUser: Bool

    /// Moves the directories to where the container sees them.
    ///
    /// - Throws: `.startFailed`.
    func bringIn(_ invocation: SandboxInvocation, slot: Int) throws(SandboxError) -> InstancePlaces {
        let (input, output, standardInput) = names(slot)
        do {
            if isForAnotherUser {
                try SystemFiles.changeMode(invocation.inputDirectory, 0o755)
                try SystemFiles.changeMode(invocation.outputDirectory, 0o777)
            }
            try Self.move(invocation.inputDirectory, to: outside.appending(input))
            try Self.move(invocation.outputDirectory, to: outside.appending(output))
            if let file = invocation.standardInput {
                try Self.link(file, to: outside.appending(standardInput))
            }
        } catch {
            takeBack(invocation, slot: slot)
            throw SandboxError(
                .startFailed, "the directories of \(invocation.id) could not be moved into the instance: \(error)",
                cause: error
            )
        }
        let hasInput = invocation.standardInput != nil
        return InstancePlaces(
            input: "\(inside)/\(input)", output: "\(inside)/\(output)",
            standardInput: hasInput ? "\(inside)/\(standardInput)" : ""
        )
    }

    /// Moves them back; what is no directory any more is replaced by an empty one.
    func takeBack(_ invocation: SandboxInvocation, slot: Int) {
        let (input, output, standardInput) = names(slot)
        for (name, original) in [(input, invocation.inputDirectory), (output, invocation.outputDirectory)] {
            let inside = outside.appending(name)
            if SystemFiles.isDirectory(inside) { try? Self.move(inside, to: original) }  // seen by what follows
            Self.mend(original)
            SystemFiles.removeTree(inside)
        }
        if invocation.standardInput != nil { SystemFiles.removeTree(outside.appending(standardInput)) }
    }

    /// Replaces what is no directory any more by an empty one.
    static func mend(_ directory: FilePath) {
        guard !SystemFiles.isDirectory(directory) else { return }
        SystemFiles.removeTree(directory)
        try? SystemFiles.makeDirectory(directory)  // Whoever reads it says that it is missing.
    }

    private func names(_ slot: Int) -> (input: String, output: String, standardInput: String) {
        ("in\(slot)", "out\(slot)", "stdin\(slot)")
    }

    /// Whatever a program has put there gives way.
    private static func move(_ directory: FilePath, to place: FilePath) throws(Errno) {
        func attempt() -> Int32 {
            directory.withPlatformString { from in place.withPlatformString { rename(from, $0) } } == 0 ? 0 : errno
        }
        var result = attempt()
        if [ENOTEMPTY, EEXIST, ENOTDIR, EISDIR].contains(result) {
            SystemFiles.removeTree(place)
            result = attempt()
        }
        guard result == 0 else { throw Errno(rawValue: result) }
    }

    private static func link(_ file: FilePath, to place: FilePath) throws(Errno) {
        SystemFiles.removeTree(place)
        let result = file.withPlatformString { from in place.withPlatformString { Glibc.link(from, $0) } }
        guard result == 0 else { throw Errno(rawValue: errno) }
    }
}
