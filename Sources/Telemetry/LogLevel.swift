package import Logging

extension Logger.Level {
    /// The level of that name in any case, `warn` for `warning` too; `nil` for anything else.
    package init?(name: some StringProtocol) {
        let name = name.lowercased()
        self.init(rawValue: name == "warn" ? "warning" : name)
    }
}
