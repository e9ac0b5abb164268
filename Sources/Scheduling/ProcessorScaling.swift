/// How many instances a service should have by the processor time that they use.
///
/// A pure state machine; whoever measures asks it every `pause`. The rule is that of Kubernetes' HorizontalPodAutoscaler for
/// the average utilization of a resource: the number that is there, times what is used, divided by the threshold, rounded up.
/// A ratio within the tolerance of 1 changes nothing. Instances that cannot be measured yet count against a change: as using
/// nothing where more are asked for, and all that they may where fewer are. More come at once, at most twice as many or four
/// more; fewer only as far as none of the last five minutes asked for more.
///
/// Kubernetes documentation, "Horizontal Pod Autoscaling", sections "Algorithm details", "Default behavior" and
/// "Stabilization window": https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/ ; the numbers are the
/// defaults of kube-controller-manager (`--horizontal-pod-autoscaler-sync-period`, `-tolerance`,
/// `-downscale-stabilization`).
package struct ProcessorScaling: Sendable {
    /// What a service says.
    package struct Rules: Sendable, Hashable {
        package var minimum: Int
        /// At least `minimum`, and at least 1.
        package var maximum: Int
        /// In percent of what an instance may use; 1 to 100.
        package var threshold: Int

        package init(minimum: Int, maximum: Int, threshold: Int) {
            self.minimum = minimum
            self.maximum = maximum
            self.threshold = threshold
        }
    }

    /// What was seen of a service's instances.
    package struct Sample: Sendable, Hashable {
        /// What each of those that were measured used, as a part of what its service demands: 1 is all of it.
        package var usage: [Double]
        /// Instances that are ready, and could not be measured.
        package var unmeasured: Int
        /// Instances that start.
        package var starting: Int

        package init(usage: [Double] = [], unmeasured: Int = 0, starting: Int = 0) {
            self.usage = usage
            self.unmeasured = unmeasured
            self.starting = starting
        }

        /// How many there are.
        package var count: Int { usage.count + unmeasured + starting }
    }

    /// How often to look.
    package static let pause = Duration.seconds(15)
    /// How far from 1 a ratio may be without any consequence.
    static let tolerance = 0.1 + 1e-9  // for rounding errors
    /// Fewer are wanted when nothing has asked for more for so long.
    static let stabilisation = Duration.seconds(300)
    /// In one look at most so many come, or as many as there are.
    static let step = 4

    package let rules: Rules
    private var recommendations: [(time: Duration, count: Int)] = []

    package init(_ rules: Rules) { self.rules = rules }

    /// How many instances there should be, from `minimum` to `maximum`.
    ///
    /// - Parameter now: a time that does not go back.
    package mutating func wanted(_ sample: Sample, now: Duration) -> Int {
        let current = sample.count
        // Nothing is asked for that is not used; whoever comes first starts one.
        guard current > 0 else { return rules.minimum }
        let proposal = proposal(sample)
        recommendations.append((now, proposal))
        recommendations.removeAll { now - $0.time >= Self.stabilisation }
        let highest = recommendations.map(\.count).max() ?? proposal
        var wanted = max(current, proposal)
        if wanted > highest { wanted = highest }
        wanted = min(wanted, max(2 * current, current + Self.step))
        return min(max(wanted, rules.minimum), rules.maximum)
    }

    /// What this sample alone asks for.
    private func proposal(_ sample: Sample) -> Int {
        let current = sample.count
        guard !sample.usage.isEmpty else { return current }
        let used = sample.usage.reduce(0, +)
        let threshold = Double(rules.threshold) / 100
        let ratio = used / Double(sample.usage.count) / threshold
        guard ratio.isFinite, abs(ratio - 1) > Self.tolerance else { return current }
        // The cautious view: what is not known would change the answer as little as possible.
        let isGrowth = ratio > 1
        let unknown = isGrowth ? sample.unmeasured + sample.starting : sample.unmeasured
        let count = sample.usage.count + unknown
        let assumed = isGrowth ? used : used + Double(sample.unmeasured) * max(1, threshold)
        let cautious = assumed / Double(count) / threshold
        guard abs(cautious - 1) > Self.tolerance, (cautious > 1) == isGrowth else { return current }
        // A little less, so that 3 x 0.8 / 0.8 is not 4 for a rounding error.
        let proposal = Int((cautious * Double(count) - 1e-9).rounded(.up).clamped(to: 0...1e6))
        return isGrowth ? max(proposal, current) : min(proposal, current)
    }
}

extension Double {
    fileprivate func clamped(to range: ClosedRange<Double>) -> Double {
        Swift.min(Swift.max(self, range.lowerBound), range.upperBound)
    }
}
