package import Model

/// Answers `CreateMultipartUpload`.
package struct InitiateMultipartUploadResult: ResultDocument {
    package let bucket: String
    package let key: String
    package let uploadID: String

    package init(bucket: String, key: String, uploadID: String) {
        (self.bucket, self.key, self.uploadID) = (bucket, key, uploadID)
    }

    package func write(to writer: inout XMLWriter) {
        writer.element("InitiateMultipartUploadResult", namespace: XMLWriter.s3Namespace) {
            $0.element("Bucket", bucket)
            $0.element("Key", key)
            $0.element("UploadId", uploadID)
        }
    }
}

/// Answers `CompleteMultipartUpload`.
package struct CompleteMultipartUploadResult: ResultDocument {
    package let location: String
    package let bucket: String
    package let key: String
    /// Without quotation marks.
    package let eTag: String
    package let checksums: [ChecksumAlgorithm: String]
    package let checksumType: ChecksumType?

    package init(
        location: String,
        bucket: String,
        key: String,
        eTag: String,
        checksums: [ChecksumAlgorithm: String],
        checksumType: ChecksumType?
    ) {
        (self.location, self.bucket, self.key, self.eTag) = (location, bucket, key, eTag)
        (self.checksums, self.checksumType) = (checksums, checksumType)
    }

    package func write(to writer: inout XMLWriter) {
        writer.element("CompleteMultipartUploadResult", namespace: XMLWriter.s3Namespace) {
            $0.element("Location", location)
            $0.element("Bucket", bucket)
            $0.element("Key", key)
            $0.element("ETag", "\"\(eTag)\"")
            $0.checksums(checksums)
            $0.element("ChecksumType", ifPresent: checksumType?.rawValue)
        }
    }
}

/// Answers `ListParts`.
package struct ListPartsResult: ResultDocument {
    package struct Part: Sendable, Hashable {
        package let number: Int
        package let lastModified: Instant
        /// Without quotation marks.
        package let eTag: String
        package let size: Int64
        package let checksums: [ChecksumAlgorithm: String]

        package init(
            number: Int,
            lastModified: Instant,
            eTag: String,
            size: Int64,
            checksums: [ChecksumAlgorithm: String]
        ) {
            (self.number, self.lastModified, self.eTag, self.size) = (number, lastModified, eTag, size)
            self.checksums = checksums
        }
    }

    package let bucket: String
    package let key: String
    package let uploadID: String
    package let owner: OwnerElement
    package let storageClass: StorageClass
    package let marker: Int
    package let maximumParts: Int
    package let isTruncated: Bool
    package let parts: [Part]
    package let encoding: NameEncoding
    /// What the parts carry, and what that of the object will cover; `nil` for nothing.
    package let checksum: (algorithm: ChecksumAlgorithm, type: ChecksumType)?

    package init(
        bucket: String,
        key: String,
        uploadID: String,
        owner: OwnerElement,
        storageClass: StorageClass,
        marker: Int,
        maximumParts: Int,
        isTruncated: Bool,
        parts: [Part],
        encoding: NameEncoding,
        checksum: (algorithm: ChecksumAlgorithm, type: ChecksumType)? = nil
    ) {
        self.checksum = checksum
        (self.bucket, self.key, self.uploadID, self.owner) = (bucket, key, uploadID, owner)
        self.storageClass = storageClass
        (self.marker, self.maximumParts, self.isTruncated) = (marker, maximumParts, isTruncated)
        (self.parts, self.encoding) = (parts, encoding)
    }

    package func write(to writer: inout XMLWriter) {
        writer.element("ListPartsResult", namespace: XMLWriter.s3Namespace) { writer in
            writer.element("Bucket", bucket)
            writer.element("Key", encoding.apply(key))
            writer.element("UploadId", uploadID)
            owner.write(to: &writer, as: "Initiator")
            owner.write(to: &writer)
            writer.element("StorageClass", storageClass.rawValue)
            writer.element("PartNumberMarker", marker)
            writer.element("NextPartNumberMarker", parts.last?.number ?? marker)
            writer.element("MaxParts", maximumParts)
            writer.element("IsTruncated", isTruncated)
            writer.element("ChecksumAlgorithm", ifPresent: checksum?.algorithm.rawValue)
            writer.element("ChecksumType", ifPresent: checksum?.type.rawValue)
            for part in parts {
                writer.element("Part") {
                    $0.element("PartNumber", part.number)
                    $0.element("LastModified", part.lastModified.rfc3339(fractionDigits: 3))
                    $0.element("ETag", "\"\(part.eTag)\"")
                    $0.element("Size", part.size)
                    $0.checksums(part.checksums)
                }
            }
        }
    }
}

/// Answers `ListMultipartUploads`.
package struct ListMultipartUploadsResult: ResultDocument {
    package struct Upload: Sendable, Hashable {
        package let key: String
        package let uploadID: String
        package let initiated: Instant
        package let storageClass: StorageClass

        package init(key: String, uploadID: String, initiated: Instant, storageClass: StorageClass = .standard) {
            (self.key, self.uploadID, self.initiated) = (key, uploadID, initiated)
            self.storageClass = storageClass
        }
    }

    package var bucket: String
    package var prefix: String
    package var delimiter: String?
    package var keyMarker: String
    package var uploadIDMarker: String
    package var maximumUploads: Int
    package var isTruncated: Bool
    package var uploads: [Upload]
    package var commonPrefixes: [String]
    /// Where the next list starts: the last key or common prefix of this one.
    package var nextKeyMarker: String?
    /// The last upload's identifier, where the list ends with an upload.
    package var nextUploadIDMarker: String?
    package var owner: OwnerElement
    package var encoding: NameEncoding

    package init(bucket: String, owner: OwnerElement, maximumUploads: Int, encoding: NameEncoding) {
        (self.bucket, self.owner, self.maximumUploads, self.encoding) = (bucket, owner, maximumUploads, encoding)
        (prefix, keyMarker, uploadIDMarker, isTruncated) = ("", "", "", false)
        (uploads, commonPrefixes) = ([], [])
    }

    package func write(to writer: inout XMLWriter) {
        writer.element("ListMultipartUploadsResult", namespace: XMLWriter.s3Namespace) { writer in
            writer.element("Bucket", bucket)
            writer.element("KeyMarker", encoding.apply(keyMarker))
            writer.element("UploadIdMarker", uploadIDMarker)
            if isTruncated {
                writer.element("NextKeyMarker", ifPresent: nextKeyMarker.map(encoding.apply))
                writer.element("NextUploadIdMarker", ifPresent: nextUploadIDMarker)
            }
            writer.element("Prefix", encoding.apply(prefix))
            writer.element("Delimiter", ifPresent: delimiter.map(encoding.apply))
            if encoding == .url { writer.element("EncodingType", "url") }
            writer.element("MaxUploads", maximumUploads)
            writer.element("IsTruncated", isTruncated)
            for upload in uploads { write(upload, to: &writer) }
            for prefix in commonPrefixes {
                writer.element("CommonPrefixes") { $0.element("Prefix", encoding.apply(prefix)) }
            }
        }
    }

    private func write(_ upload: Upload, to writer: inout XMLWriter) {
        writer.element("Upload") { writer in
            writer.element("Key", encoding.apply(upload.key))
            writer.element("UploadId", upload.uploadID)
            owner.write(to: &writer, as: "Initiator")
            owner.write(to: &writer)
            writer.element("StorageClass", upload.storageClass.rawValue)
            writer.element("Initiated", upload.initiated.rfc3339(fractionDigits: 3))
        }
    }
}
