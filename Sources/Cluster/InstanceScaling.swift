import Model
import Sandboxes
import Scheduling
import Synchronization

/// Has the number of instances of exposed services follow the processor time that they use: `expose.cpu_threshold`.
///
/// Measures; what follows from it is decided by `ProcessorScaling`, and carried out by `Admission`.
final class InstanceScaling: Sendable {
    /// What is shorter says little.
    private static let shortestSpan = Duration.seconds(1)

    private struct Reading {
        let time: Duration
        let used: Duration
    }

    private struct Line {
        var scaling: ProcessorScaling
        var version: Int64
        var readings: [InstanceID: Reading] = [:]
    }

    private let lines = Mutex<[ServiceName: Line]>([:])

    /// Looks every 15 seconds, until the task is cancelled.
    func run(_ scheduler: JobScheduler) async {
        while (try? await Task.sleep(for: ProcessorScaling.pause)) != nil { await look(scheduler) }
    }

    /// Looks once.
    func look(_ scheduler: JobScheduler) async {
        let services = scheduler.instances.services.filter { $0.pause == nil && $0.scalingRules != nil }
        lines.withLock { lines in
            let names = Set(services.map(\.name))
            lines = lines.filter { names.contains($0.key) }
        }
        for service in services {
            guard let rules = service.scalingRules else { continue }
            await look(at: service, rules, scheduler)
        }
    }

    private func look(at service: RegisteredService, _ rules: ProcessorScaling.Rules, _ scheduler: JobScheduler) async {
        let name = service.name
        let (ready, starting) = scheduler.members(of: name)
        var readings: [InstanceID: Reading] = [:]
        for id in ready {
            guard let used = await scheduler.instances.ready(id)?.processorTime() else { continue }
            readings[id] = Reading(time: scheduler.now, used: used)
        }
        let wanted = lines.withLock { [readings] lines in
            var line = lines[name] ?? Line(scaling: ProcessorScaling(rules), version: service.version)
            if line.version != service.version || line.scaling.rules != rules {
                line = Line(scaling: ProcessorScaling(rules), version: service.version)
            }
            let usage = Self.usage(from: line.readings, to: readings, of: service.definition.cpuLimit)
            // What is too young to say anything goes on counting from where it began.
            line.readings = readings.merging(line.readings) { new, old in
                new.time - old.time < Self.shortestSpan ? old : new
            }.filter { readings[$0.key] != nil }
            let sample = ProcessorScaling.Sample(
                usage: usage, unmeasured: ready.count - usage.count, starting: starting)
            let wanted = line.scaling.wanted(sample, now: scheduler.now)
            lines[name] = line
            return wanted
        }
        scheduler.decide { $0.want(wanted, instancesOf: name) }
    }

    /// What each instance that was read twice has used meanwhile, as a part of what its service demands.
    private static func usage(
        from old: [InstanceID: Reading],
        to new: [InstanceID: Reading],
        of demand: MilliCPU
    ) -> [Double] {
        new.compactMap { id, reading in
            guard let before = old[id], reading.time - before.time >= shortestSpan else { return nil }
            let cores = (reading.used - before.used) / (reading.time - before.time)
            return max(0, cores * 1000 / Double(demand.thousandths))
        }
    }
}

extension JobScheduler {
    /// The instances of a service that have started and go on, and how many start.
    fileprivate func members(of service: ServiceName) -> (ready: [InstanceID], starting: Int) {
        state.withLock { $0.admission.instances(of: service) }
    }
}

extension RegisteredService {
    /// How the number of its instances follows their use of processors; `nil` where it does not.
    var scalingRules: ProcessorScaling.Rules? {
        let expose = definition.expose
        guard expose.isExposed, expose.cpuThreshold > 0, definition.cpuLimit > .zero,
            let maximum = definition.maximumInstances, maximum > definition.minimumInstances
        else { return nil }
        return ProcessorScaling.Rules(
            minimum: definition.minimumInstances, maximum: maximum, threshold: expose.cpuThreshold)
    }
}
