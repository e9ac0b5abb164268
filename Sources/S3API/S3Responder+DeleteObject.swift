import HTTPTypes
import Hummingbird
import Model
import ObjectEngine
import S3Wire

extension S3Responder {
    func deleteObject(_ key: ObjectKey, in bucket: BucketName, _ exchange: S3Exchange) async throws -> Response {
        for name in ["x-amz-if-match-last-modified-time", "x-amz-if-match-size"] where exchange.header(name) != nil {
            throw S3Error(.notImplemented, "The header \(name) implies functionality that is not implemented.")
        }
        let condition = exchange.header("if-match").map { WriteCondition(ETagCondition(parsing: $0)) } ?? .none
        let deletion = Deletion(key, version: try exchange.version(), condition: condition)
        var headers: HTTPFields = [:]
        for outcome in try await store.delete([deletion], in: bucket) {
            let outcome = try outcome.get()
            headers.set(outcome.version)
            if outcome.isMarker { headers.set("x-amz-delete-marker", "true") }
        }
        return .bodiless(.noContent, headers: headers)
    }

    func deleteObjects(_ bucket: BucketName, _ exchange: S3Exchange) async throws -> Response {
        let request = try DeleteObjectsRequest(parsing: try await exchange.readDocument(limit: Self.documentLimit))
        var known: [(entry: DeleteObjectsRequest.Entry, deletion: Deletion)] = []
        var failed: [(entry: DeleteObjectsRequest.Entry, error: S3Error)] = []
        for entry in request.entries {
            do throws(S3Error) {
                known.append((entry, try Self.deletion(entry)))
            } catch {
                failed.append((entry, error))
            }
        }
        var deleted: [DeleteResult.Deleted] = []
        let outcomes = try await store.delete(known.map(\.deletion), in: bucket)
        for (entry, outcome) in zip(known.map(\.entry), outcomes) {
            switch outcome {
            case .success(let outcome):
                let marker = outcome.isMarker ? outcome.version?.text : nil
                deleted.append(.init(key: entry.key, version: entry.version, marker: marker))
            case .failure(let error): failed.append((entry, S3Error(error)))
            }
        }
        return .document(DeleteResult(deleted: request.isQuiet ? [] : deleted, failed: failed))
    }

    private static func deletion(_ entry: DeleteObjectsRequest.Entry) throws(S3Error) -> Deletion {
        let version = try entry.version.map { (text) throws(S3Error) in try VersionID(parsing: text) }
        return Deletion(
            try S3Operation.key(entry.key), version: version, condition: entry.eTag.map { .ifMatches([$0]) } ?? .none
        )
    }
}

extension WriteCondition {
    /// What `If-Match` asks for.
    init(_ condition: ETagCondition) {
        self =
            switch condition {
            case .any: .ifMatches(["*"])
            case .oneOf(let tags): .ifMatches(tags)
            }
    }
}
