import Model
import S3Wire

/// The parts that become an object, checked against what the client named, and what the object has from them.
struct PartAssembly: Sendable {
    let parts: [StoredPart]
    let size: ByteCount
    let eTag: String
    /// The upload's, with the object's checksum where every part has one.
    let attributes: ObjectAttributes

    /// - `stored`: all parts of the upload.
    ///
    /// - Throws: `invalidPart`, `invalidPartOrder`, `entityTooSmall`.
    init(
        of upload: MultipartUpload,
        stored: [StoredPart],
        named: [CompletedPart]
    ) throws(ObjectStoreError) {
        let byNumber = Dictionary(stored.map { ($0.part.number, $0) }) { first, _ in first }
        var chosen: [StoredPart] = []
        var last = 0
        for name in named {
            guard name.number > last else {
                throw ObjectStoreError(
                    .invalidPartOrder,
                    "the parts must be named in ascending order, each once"
                )
            }
            last = name.number
            guard let found = byNumber[name.number], Self.agrees(found.part, name) else {
                throw ObjectStoreError(
                    .invalidPart,
                    "part \(name.number) was not uploaded, or has another ETag or checksum"
                )
            }
            chosen.append(found)
        }
        guard !chosen.isEmpty else {
            throw ObjectStoreError(.invalidPart, "an upload needs at least one part")
        }
        for small in chosen.dropLast() where small.part.size < ObjectStore.minimumPartSize {
            throw ObjectStoreError(
                .entityTooSmall,
                "part \(small.part.number) has \(small.part.size.bytes) bytes; all but the last must have 5 MiB",
                cause: SmallPart(part: small.part)
            )
        }
        parts = chosen
        size = chosen.reduce(.zero) { $0 + $1.part.size }
        eTag = MultipartChecksum.eTag(partDigests: chosen.compactMap { Hexadecimal.bytes($0.part.eTag) })
        attributes = Self.attributes(of: upload, from: chosen.map(\.part))
    }

    /// - `expected`: the object's checksum as the client knows it, in base64; `nil` for none.
    ///
    /// - Throws: `checksumMismatch`.
    func check(checksum expected: String?) throws(ObjectStoreError) {
        guard let expected, let actual = attributes.checksums.values.first else { return }
        // The number of parts behind a composite checksum may be left out.
        guard actual == expected || actual.split(separator: "-").first.map(String.init) == expected else {
            throw ObjectStoreError(
                .checksumMismatch,
                "the checksum of the parts is \(actual), not \(expected)"
            )
        }
    }

    /// - `expected`: the object's size as the client knows it, in bytes; `nil` for unknown.
    ///
    /// - Throws: `sizeMismatch`.
    func check(size expected: Int64?) throws(ObjectStoreError) {
        guard let expected, expected != size.bytes else { return }
        throw ObjectStoreError(.sizeMismatch, "the parts have \(size.bytes) bytes together, not \(expected)")
    }

    private static func agrees(_ part: UploadPart, _ name: CompletedPart) -> Bool {
        guard part.eTag == name.eTag else { return false }
        return name.checksums.allSatisfy { algorithm, value in
            part.checksums[algorithm].map { $0 == value } ?? true
        }
    }

    private static func attributes(of upload: MultipartUpload, from parts: [UploadPart]) -> ObjectAttributes {
        var attributes = upload.attributes
        attributes.checksums = [:]
        attributes.checksumType = upload.checksumType
        guard let algorithm = upload.checksumAlgorithm else { return attributes }
        let values = parts.compactMap { part in
            part.checksums[algorithm].flatMap { Base64.decode($0) }.map {
                (checksum: $0, length: part.size.bytes)
            }
        }
        guard values.count == parts.count else { return attributes }
        switch upload.checksumType {
        case .composite:
            attributes.checksums[algorithm] = MultipartChecksum.composite(
                algorithm,
                parts: values.map(\.checksum)
            )
        case .fullObject:
            attributes.checksums[algorithm] = MultipartChecksum.fullObject(algorithm, parts: values).map {
                Base64.encode($0)
            }
        }
        return attributes
    }
}

/// The part that made `entityTooSmall` of a completion.
package struct SmallPart: Error {
    package let part: UploadPart
}
