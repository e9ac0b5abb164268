import HTTPTypes
import Hummingbird
import Model
import NIOCore
import ObjectEngine
import S3Wire

/// Uploads from browsers.
extension S3Responder {
    /// An upload whose form has been checked.
    private struct Upload {
        let form: PostForm
        let policy: PostPolicy?
        let key: ObjectKey
        /// The form as a request, by whoever signed it.
        let exchange: S3Exchange
        let attributes: ObjectAttributes
        let expected: ExpectedDigests
        let staged: StagedContent
        var length: Int64 = 0

        /// - Throws: `S3Error` with `entityTooLarge`; as `StagedContent.write`.
        mutating func take(_ buffer: ByteBuffer) async throws {
            length += Int64(buffer.readableBytes)
            try policy?.check(length: length, isEnd: false)
            try await staged.write(buffer)
        }
    }

    func postObject(in bucket: BucketName, _ exchange: S3Exchange) async throws -> Response {
        let type = exchange.header("content-type") ?? ""
        guard type.lowercased().hasPrefix("multipart/form-data") else {
            throw S3Error(
                .preconditionFailed,
                details: [("Condition", "Bucket POST must be of the enclosure-type multipart/form-data")])
        }
        guard exchange.proof.method == .none else {
            throw S3Error(.invalidArgument, "Only one way of authorization may be used.")
        }
        var decoder = try FormDataDecoder(contentType: type)
        var upload: Upload?
        do {
            _ = try await exchange.readBody { buffer in
                for event in try buffer.withUnsafeReadableBytes({ try decoder.decode($0) }) {
                    switch event {
                    case .file(let fields): upload = try await begin(fields, bucket, exchange)
                    case .held(let bytes): try await upload?.take(ByteBuffer(bytes: bytes))
                    case .content(let range):
                        let start = buffer.readerIndex + range.lowerBound
                        guard let slice = buffer.getSlice(at: start, length: range.count) else { continue }
                        try await upload?.take(slice)
                    }
                }
            }
            try decoder.finish()
            guard let upload else { throw S3Error(.incorrectNumberOfFilesInPostRequest) }
            return try await finish(upload, in: bucket)
        } catch {
            upload?.staged.discard()
            throw error
        }
    }

    /// Checks all that the form says, before a byte of its file is written.
    private func begin(_ fields: FormFields, _ bucket: BucketName, _ exchange: S3Exchange) async throws -> Upload {
        let form = try PostForm(fields)
        let signature = try PostSignature(of: fields)
        let principal =
            try signature.map { try authentication.authenticate($0, from: exchange.sourceAddress) } ?? .anonymous
        let policy = try signature.map { (signature) throws(S3Error) in try PostPolicy(parsing: signature.policy) }
        try policy?.check(form.fields, bucket: bucket.text, now: authentication.now())
        let key = try S3Operation.key(form.key)
        let request = try form.request(like: exchange.request)
        let proof = S3Authentication.Proof(
            principal: principal, method: signature == nil ? .none : .form, payload: .unsigned, signatures: nil
        )
        let own = exchange.replacing(request, proof: proof)
        try await require([AccessNeed(.putObject, bucket, key)] + S3Operation.furtherNeeds(request, bucket, key), own)
        guard exchange.facts != nil else { throw S3Error(.noSuchBucket) }
        try Self.checkUnsupported(own)
        var attributes = try ObjectAttributes(of: request)
        attributes.accessControl = try requestedAccessControl(own)
        let expected = try ExpectedDigests(of: request, payload: .unsigned)
        return Upload(
            form: form, policy: policy, key: key, exchange: own, attributes: attributes, expected: expected,
            staged: store.stage(checksums: expected.algorithms)
        )
    }

    private func finish(_ upload: Upload, in bucket: BucketName) async throws -> Response {
        try upload.policy?.check(length: upload.length, isEnd: true)
        let summary = try await upload.staged.finish()
        var attributes = upload.attributes
        attributes.checksums = try upload.expected.verify(md5: summary.md5, checksums: summary.checksums, trailer: [])
        let record = try await store.put(
            upload.staged, as: upload.key, in: bucket, attributes: attributes, cause: .post,
            origin: upload.exchange.origin
        )
        let location =
            "http://\(upload.exchange.header("host") ?? "")\(S3Path.encoded(bucket: bucket, key: upload.key))"
        var headers = Self.headers(of: record)
        headers[.location] = location
        switch upload.form.success {
        case .noContent: return .bodiless(.noContent, headers: headers)
        case .empty: return Response(status: .ok, headers: headers)
        case .document:
            let document = PostResponse(
                location: location, bucket: bucket.text, key: upload.key.text, eTag: record.eTag
            )
            return .xml(document.xml, status: .created, headers: headers)
        case .redirect(let url):
            headers[.location] = PostForm.redirection(
                to: url, bucket: bucket.text, key: upload.key.text, eTag: record.eTag
            )
            return Response(status: .seeOther, headers: headers)
        }
    }
}
