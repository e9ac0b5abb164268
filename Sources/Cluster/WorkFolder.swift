import Model
import SystemPackage

/// The folders of one invocation: `work/NAME/{input,output,sandbox}`.
struct WorkFolder: Sendable {
    let root: FilePath

    var input: FilePath { root.appending("input") }
    var output: FilePath { root.appending("output") }
    /// For the sandbox's own use.
    var sandbox: FilePath { root.appending("sandbox") }

    /// Makes the folders, empty: what an earlier attempt left is removed.
    static func make(_ name: String, in work: FilePath) async throws -> WorkFolder {
        let folder = WorkFolder(root: work.appending(name))
        try await Folder.offload {
            do { try Folder.make(folder.input) } catch { throw folderError(error) }
            if try !Folder.entries(folder.input).isEmpty
                || !Folder.entries(folder.root).allSatisfy({ $0.name == "input" })
            {
                try Folder.remove(folder.root)
                try Folder.make(folder.input)
            }
            try Folder.make(folder.output)
            try Folder.make(folder.sandbox)
        }
        return folder
    }

    /// Makes the output folder empty again.
    func clearOutput() async throws {
        let output = output
        try await Folder.offload {
            try Folder.remove(output)
            try Folder.make(output)
        }
    }

    func remove() async throws {
        let root = root
        try await Folder.offload { try Folder.remove(root) }
    }

    private static func folderError(_ error: any Error) -> ClusterError {
        ClusterError(code: .failed, message: "the job's folder cannot be made", cause: error)
    }
}
