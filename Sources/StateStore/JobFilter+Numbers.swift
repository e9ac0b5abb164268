import Model

extension JobFilter {
    /// A condition that finds the first page by the index of states, however many jobs match; `nil` where the filter says
    /// something else than service, states and place.
    ///
    /// SQLite would sort all jobs of a service to find the newest: the index has them by state.
    var numbers: String? {
        guard self == JobFilter(service: service, states: states, before: before, limit: limit),
            service != nil || !states.isEmpty
        else { return nil }
        var condition = ""
        // Names of services and states have no characters that would have to be escaped.
        if let service { condition += "service = '\(service.text)' AND " }
        if let before { condition += "number < \(before) AND " }
        let wanted = states.isEmpty ? Set(JobState.allCases) : states
        let pages = wanted.map(\.rawValue).sorted().map { state in
            "SELECT number FROM (SELECT number FROM job WHERE \(condition)state = '\(state)' "
                + "ORDER BY number DESC LIMIT \(limit + 1))"
        }
        return "WHERE number IN (\(pages.joined(separator: " UNION ALL ")))"
    }
}
