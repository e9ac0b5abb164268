extension S3Operation {
    /// Whether it brings content in, which a full disk refuses; settings of buckets and what only removes go on.
    var addsContent: Bool {
        switch self {
        case .service, .configuration: false
        case .bucket(let operation, _): operation == .postObject
        case .object(let operation, _, _):
            switch operation {
            case .put, .copy, .createUpload, .putPart, .copyPart: true
            case .get, .head, .delete, .getAttributes, .getTagging, .putTagging, .deleteTagging, .listParts,
                .completeUpload, .abortUpload, .getAccessControl, .putAccessControl:
                false
            }
        }
    }
}
