import Model

/// A webhook that the operator declares: a name that notification configurations use, and where it is.
package struct WebhookSetting: Sendable, Hashable {
    package var name: String
    package var url: String
    /// Secret.
    package var token: String?

    package init(name: String, url: String, token: String? = nil) {
        (self.name, self.url, self.token) = (name, url, token)
    }
}

/// Collects the webhooks of all sources: flags beat variables, variables beat the file, each piece by itself, so that
/// a token can come from a variable and its URL from the file.
struct WebhookTable {
    private static let variablePrefix = "APUS_WEBHOOK_"
    private static let tokenSuffix = "_TOKEN"

    private var urls: [String: (text: String, source: String)] = [:]
    private var tokens: [String: (text: String, source: String)] = [:]

    /// - Throws: `SettingError` for what is no name or has no name.
    mutating func read(environment: [String: String]) throws(SettingError) {
        for (variable, value) in environment.sorted(by: { $0.key < $1.key })
        where variable.hasPrefix(Self.variablePrefix) && !value.isEmpty {
            let source = "the variable \(variable)"
            let rest = String(variable.dropFirst(Self.variablePrefix.count))
            if rest.hasSuffix(Self.tokenSuffix) {
                let name = try Self.name(Self.dashed(rest.dropLast(Self.tokenSuffix.count)), source)
                tokens[name] = (value, source)
            } else {
                urls[try Self.name(Self.dashed(rest[...]), source)] = (value, source)
            }
        }
    }

    /// Each `NAME=URL`.
    ///
    /// - Throws: `SettingError`.
    mutating func read(flags: [String]) throws(SettingError) {
        for flag in flags {
            guard let equals = flag.firstIndex(of: "=") else {
                throw SettingError(message: "--webhook: \"\(flag)\" is not NAME=URL")
            }
            let name = try Self.name(String(flag[..<equals]), "--webhook")
            urls[name] = (String(flag[flag.index(after: equals)...]), "--webhook \(name)")
        }
    }

    /// `NAME: URL`, or `NAME: {url: URL, token: TOKEN}`, for each.
    ///
    /// - Throws: `SettingError`.
    mutating func read(_ content: JSONValue, source: String) throws(SettingError) {
        guard let object = content.objectValue else {
            throw SettingError(message: "\(source) must have one \"name: URL\" for each webhook, not \(content.kind)")
        }
        for (key, value) in object.members {
            let name = try Self.name(key, source)
            let place = "\"\(name)\" of \(source)"
            if let url = value.stringValue {
                urls[name] = (url, place)
                continue
            }
            guard let members = value.objectValue else {
                throw SettingError(message: "\(place) must be a URL, or have \"url\" and \"token\"")
            }
            for (member, text) in members.members {
                guard let text = text.stringValue, member == "url" || member == "token" else {
                    throw SettingError(message: "\(place): \"\(member)\" must be \"url\" or \"token\", and a text")
                }
                if member == "url" { urls[name] = (text, place) } else { tokens[name] = (text, place) }
            }
        }
    }

    /// All of them, by name.
    ///
    /// - Throws: `SettingError` for a URL that is none, and for a token without a webhook.
    func webhooks() throws(SettingError) -> [WebhookSetting] {
        for (name, token) in tokens where urls[name] == nil {
            throw SettingError(message: "\(token.source): there is no webhook \"\(name)\" that the token is for")
        }
        var webhooks: [WebhookSetting] = []
        for (name, url) in urls.sorted(by: { $0.key < $1.key }) {
            guard Self.isURL(url.text) else {
                throw SettingError(
                    message: "\(url.source): \"\(url.text)\" is no URL that begins with http:// or https://")
            }
            if let token = tokens[name], !Self.isHeaderText(token.text) {
                throw SettingError(message: "\(token.source): the token has characters that no header can carry")
            }
            webhooks.append(WebhookSetting(name: name, url: url.text, token: tokens[name]?.text))
        }
        return webhooks
    }

    private static func dashed(_ text: Substring) -> String { text.lowercased().replacing("_", with: "-") }

    /// The same rules as for services, whose names stand at the same place.
    private static func name(_ text: String, _ source: String) throws(SettingError) -> String {
        do throws(NameError) { return try ServiceName(text).text } catch {
            throw SettingError(
                message:
                    "\(source): \"\(text)\" is no name of a webhook: use 1 to 39 lower-case letters, digits, hyphens")
        }
    }

    private static func isURL(_ text: String) -> Bool {
        let host = text.hasPrefix("http://") ? text.dropFirst(7) : text.hasPrefix("https://") ? text.dropFirst(8) : ""
        guard let first = host.first, first != "/", first != "?", first != "#" else { return false }
        return text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }

    private static func isHeaderText(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { (0x20...0x7E).contains($0) }
    }
}
