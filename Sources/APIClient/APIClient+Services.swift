import AsyncHTTPClient
package import Model
import NIOCore
import NIOHTTP1

extension APIClient {
    /// All services that the credentials may see, as the cluster sends them.
    package func services() async throws(APIClientError) -> [JSONValue] {
        let answer = try await document(APIRequest(.GET, "system", "services", subject: "the list of services"))
        return try elements(answer, of: "services")
    }

    /// One service, as the cluster sends it.
    ///
    /// - Throws: `notFound`, `forbidden` and the usual.
    package func service(_ name: String) async throws(APIClientError) -> JSONValue {
        try await document(APIRequest(.GET, "system", "services", name, subject: "service \"\(name)\""))
    }

    /// Whether the cluster has a service of that name.
    package func hasService(_ name: String) async throws(APIClientError) -> Bool {
        do {
            _ = try await service(name)
            return true
        } catch {
            if error.code == .notFound { return false }
            throw error
        }
    }

    /// Creates a service.
    ///
    /// - Parameter definition: the service object of `POST /system/services`.
    /// - Throws: `invalid` with the cluster's words on what is wrong; `conflict`; the usual.
    package func createService(_ definition: JSONValue) async throws(APIClientError) {
        try await sendService(definition, .create)
    }

    /// Replaces a service's definition; fields that are left out go back to their defaults.
    ///
    /// - Throws: `notFound`; `invalid` with the cluster's words on what is wrong; the usual.
    package func updateService(_ definition: JSONValue) async throws(APIClientError) {
        try await sendService(definition, .update)
    }

    /// Starts nothing of a service any more, until it is resumed.
    ///
    /// - Throws: `notFound`, also by a cluster that is no Apus; the usual.
    package func pauseService(_ name: String) async throws(APIClientError) {
        try await send(
            APIRequest(.POST, "apus", "v1", "services", name, "pause", subject: "service \"\(name)\""))
    }

    /// Lets a paused service go on.
    ///
    /// - Throws: as `pauseService`.
    package func resumeService(_ name: String) async throws(APIClientError) {
        try await send(
            APIRequest(.POST, "apus", "v1", "services", name, "resume", subject: "service \"\(name)\""))
    }

    /// Removes a service.
    ///
    /// - Throws: `notFound`, `forbidden` and the usual.
    package func deleteService(_ name: String) async throws(APIClientError) {
        try await send(APIRequest(.DELETE, "system", "services", name, subject: "service \"\(name)\""))
    }

    private enum Change { case create, update }

    private func sendService(_ definition: JSONValue, _ change: Change) async throws(APIClientError) {
        let name = definition["name"]?.stringValue ?? ""
        var request = APIRequest(
            change == .create ? .POST : .PUT, "system", "services", subject: "service \"\(name)\"")
        request.headers = [("content-type", "application/json")]
        request.body = .bytes(ByteBuffer(bytes: definition.bytes()))
        // OSCAR restarts its object store on such changes and may pull an image first.
        request.patience = .minutes(7)
        try await send(request)
    }

    /// The elements of a list; `null` counts as an empty one, as Go writes it.
    func elements(_ answer: JSONValue, of what: String) throws(APIClientError) -> [JSONValue] {
        if answer.isNull { return [] }
        guard let array = answer.arrayValue else {
            throw APIClientError(.malformedAnswer, "\(endpoint) sends a \(answer.kind) in place of a list of \(what)")
        }
        return array
    }
}
