import Model
import SystemPackage
import YAMLDocuments

/// An FDL file with the scripts that it names.
struct FDLFile {
    let path: FilePath
    let document: FDLDocument

    /// Reads a file.
    ///
    /// - Throws: `localFile` where there is none; `invalidInput` that says where it is malformed.
    static func read(_ path: FilePath) async throws(CommandError) -> FDLFile {
        guard let text = try await LocalFiles.text(path) else {
            throw CommandError(.localFile, "there is no file \(path)")
        }
        do {
            return FDLFile(path: path, document: try FDLDocument(try YAMLDocument.parse(text)))
        } catch {
            throw CommandError(.invalidInput, "\(path) is not a valid FDL file: \(error)")
        }
    }

    /// The body that creates a service, its script's text included.
    ///
    /// A script's path belongs to the file's folder.
    ///
    /// - Throws: `invalidInput`, `localFile`.
    func request(
        for service: FDLDocument.Service,
        clusterID: String,
        name: String?
    ) async throws(CommandError) -> JSONValue {
        var scripts: [String: String] = [:]
        if let written = service.scriptPath, !written.isEmpty {
            let scriptPath = path.removingLastComponent().pushing(FilePath(written))
            guard let text = try await LocalFiles.text(scriptPath) else {
                throw CommandError(
                    .localFile,
                    "the script \(scriptPath) of \(service.path) does not exist (paths belong to the FDL file)")
            }
            scripts[written] = text
        }
        do {
            return try document.request(for: service, clusterID: clusterID, name: name) { scripts[$0] ?? "" }
        } catch {
            throw CommandError(.invalidInput, "\(path): \(error)")
        }
    }
}
