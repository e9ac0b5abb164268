/// Media types by the ends of names, for what functions write.
enum ContentType {
    private static let byExtension: [String: String] = [
        "avi": "video/x-msvideo", "bin": "application/octet-stream", "csv": "text/csv", "gif": "image/gif",
        "gz": "application/gzip", "html": "text/html", "jpeg": "image/jpeg", "jpg": "image/jpeg",
        "json": "application/json", "log": "text/plain", "md": "text/markdown", "mkv": "video/x-matroska",
        "mp3": "audio/mpeg", "mp4": "video/mp4", "npy": "application/octet-stream", "pdf": "application/pdf",
        "png": "image/png", "svg": "image/svg+xml", "tar": "application/x-tar", "tif": "image/tiff",
        "tiff": "image/tiff", "txt": "text/plain", "wav": "audio/wav", "webm": "video/webm", "webp": "image/webp",
        "xml": "application/xml", "yaml": "application/yaml", "yml": "application/yaml", "zip": "application/zip",
    ]

    /// `application/octet-stream` where the end says nothing.
    static func guess(forName name: String) -> String {
        guard let dot = name.lastIndex(of: "."), !name[dot...].contains("/") else { return "application/octet-stream" }
        return byExtension[name[name.index(after: dot)...].lowercased()] ?? "application/octet-stream"
    }
}
