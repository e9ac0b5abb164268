package import Model

/// The texts of all settings, from the strongest source that has one: flags, environment, file.
package struct SettingValues: Sendable {
    /// A text, and where it came from, for messages.
    struct Value: Sendable, Hashable {
        let text: String
        let source: String
    }

    private var values: [String: Value] = [:]
    /// The webhooks of all sources.
    let webhooks: [WebhookSetting]

    /// - Parameters:
    ///   - flags: what the command line says, by name of the setting.
    ///   - webhooks: what the command line says of webhooks, each `NAME=URL`.
    ///   - environment: the process's environment.
    ///   - file: the configuration file's path and content, if there is one.
    /// - Throws: `SettingError` for an unknown or repeated key of the file, or one whose value is no single text; for
    ///   a webhook that cannot be.
    package init(
        flags: [String: String],
        webhooks webhookFlags: [String] = [],
        environment: [String: String],
        file: (path: String, content: JSONValue)?
    ) throws(SettingError) {
        var webhooks = WebhookTable()
        if let file { try Self.read(file.content, path: file.path, into: &values, &webhooks) }
        try webhooks.read(environment: environment)
        try webhooks.read(flags: webhookFlags)
        self.webhooks = try webhooks.webhooks()
        for setting in Setting.all {
            let variable = setting.environmentName
            if let text = environment[variable], !text.isEmpty {
                values[setting.name] = Value(text: text, source: "the variable \(variable)")
            }
            if let text = flags[setting.name] { values[setting.name] = Value(text: text, source: "--\(setting.name)") }
        }
    }

    private static func read(
        _ content: JSONValue,
        path: String,
        into values: inout [String: Value],
        _ webhooks: inout WebhookTable
    ) throws(SettingError) {
        if content.isNull { return }
        guard let object = content.objectValue else {
            throw SettingError(message: "\(path): the file must hold settings, one \"name: value\" a line")
        }
        for (key, value) in object.members {
            let name = key.replacing("_", with: "-")
            if name == Setting.webhook.name {
                try webhooks.read(value, source: "\"\(key)\" in \(path)")
                continue
            }
            guard Setting.all.contains(where: { $0.name == name }) else {
                throw SettingError(
                    message: "\(path): unknown setting \"\(key)\"\(suggestion(for: name)); see apus serve --help"
                )
            }
            let text: String
            switch value {
            case .string(let string): text = string
            case .number(let number): text = number
            case .bool(let bool): text = "\(bool)"
            case .null, .array, .object:
                throw SettingError(message: "\(path): the setting \"\(key)\" must be a single value, not \(value.kind)")
            }
            values[name] = Value(text: text, source: "\"\(key)\" in \(path)")
        }
    }

    /// The setting whose name is nearest, where one is near.
    private static func suggestion(for name: String) -> String {
        let near = Setting.all.map(\.name).min { distance($0, name) < distance($1, name) }
        guard let near, distance(near, name) <= 2 else { return "" }
        return " (did you mean \"\(near)\"?)"
    }

    /// The edit distance of two texts (Levenshtein, Soviet Physics Doklady 10, 1966, page 707).
    private static func distance(_ left: String, _ right: String) -> Int {
        let right = Array(right)
        var row = Array(0...right.count)
        for (index, character) in left.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for (column, other) in right.enumerated() {
                let above = row[column + 1]
                row[column + 1] = min(above + 1, row[column] + 1, diagonal + (character == other ? 0 : 1))
                diagonal = above
            }
        }
        return row[right.count]
    }

    /// The text of a setting; `nil` where nobody gave one.
    func text(_ setting: Setting) -> String? { values[setting.name]?.text }

    /// The value of a setting, read by `parse`, or the standard one.
    ///
    /// - Throws: `SettingError` that names the setting and its source, where `parse` answers `nil`.
    func value<T>(_ setting: Setting, _ parse: (String) -> T?, orElse standard: T) throws(SettingError) -> T {
        guard let given = values[setting.name] else { return standard }
        guard let value = parse(given.text) else {
            let shown = setting.isSecret ? "its value" : "\"\(given.text)\""
            throw SettingError(message: "\(given.source): \(shown) is not \(setting.valueName). \(setting.help)")
        }
        return value
    }
}
