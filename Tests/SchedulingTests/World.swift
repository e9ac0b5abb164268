import Model
import Scheduling

/// Queues on a disk that answers at once, and a machine that runs what admission starts until it is told that something
/// ended.
struct World {
    var admission: Admission
    var queued: [ServiceName: ArraySlice<Int64>] = [:]
    var running: [(job: Int64, service: ServiceName)] = []
    var runningRuns: Set<UInt64> = []
    var startedRuns = 0
    var instances: [InstanceID: ServiceName] = [:]
    /// The services of the jobs in the order of their starts.
    var order: [ServiceName] = []
    /// How long the jobs of each service ran.
    var seconds: [ServiceName: Double] = [:]
    private var next: Int64 = 1

    init(capacity: Resources, patience: Patience = Patience(), weights: [String: Int] = [:]) {
        admission = Admission(capacity: capacity, patience: patience, weights: weights)
    }

    mutating func register(_ name: ServiceName, _ terms: AdmissionTerms) {
        perform(admission.serviceRegistered(name, terms))
    }

    mutating func add(_ count: Int, to name: ServiceName) {
        for _ in 0..<count {
            queued[name, default: []].append(next)
            next += 1
        }
        perform(admission.jobsAdded(to: name))
    }

    mutating func perform(_ actions: [Admission.Action]) {
        for action in actions {
            switch action {
            case .startJob(let job, let name):
                if queued[name]?.first == job {
                    queued[name]?.removeFirst()
                } else {
                    queued[name]?.removeAll { $0 == job }
                }
                running.append((job, name))
                order.append(name)
            case .startRun(let run):
                runningRuns.insert(run)
                startedRuns += 1
            case .load(let name, let after, let limit):
                let jobs = (queued[name] ?? []).lazy.filter { $0 > after }.prefix(limit)
                perform(admission.loaded(Array(jobs), of: name, after: after, limit: limit))
            case .startInstance(let id, let name): instances[id] = name
            case .endInstance(let id, _):
                instances[id] = nil
                perform(admission.instanceEnded(id))
            }
        }
    }

    /// The job that runs longest ends.
    mutating func endFirst(after time: Duration) { endFirst { _ in time } }

    mutating func endFirst(after time: (ServiceName) -> Duration) {
        guard !running.isEmpty else { return }
        end(at: 0, after: time(running[0].service))
    }

    mutating func end(at index: Int, after time: Duration) {
        let (job, name) = running.remove(at: index)
        seconds[name, default: 0] += time / .seconds(1)
        perform(admission.ended(.job(job), after: time))
    }

    mutating func runAll() { while !running.isEmpty { endFirst(after: .seconds(1)) } }
}
