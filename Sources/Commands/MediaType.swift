/// The media types of common file names (IANA media types registry).
enum MediaType {
    /// By the name's last extension; `application/octet-stream` for what is not known.
    static func ofFile(_ name: some StringProtocol) -> String {
        let parts = name.split(separator: ".")
        guard parts.count > 1, let last = parts.last else { return unknown }
        return known[last.lowercased()] ?? unknown
    }

    private static let unknown = "application/octet-stream"

    private static let known = [
        "avi": "video/vnd.avi", "csv": "text/csv", "gif": "image/gif", "gz": "application/gzip", "htm": "text/html",
        "html": "text/html", "jpeg": "image/jpeg", "jpg": "image/jpeg", "js": "text/javascript",
        "json": "application/json", "md": "text/markdown", "mkv": "video/matroska", "mov": "video/quicktime",
        "mp3": "audio/mpeg", "mp4": "video/mp4", "pdf": "application/pdf", "png": "image/png", "svg": "image/svg+xml",
        "tar": "application/x-tar", "tif": "image/tiff", "tiff": "image/tiff", "txt": "text/plain",
        "wav": "audio/wav", "webm": "video/webm", "webp": "image/webp", "xml": "application/xml",
        "yaml": "application/yaml", "yml": "application/yaml", "zip": "application/zip",
    ]
}
