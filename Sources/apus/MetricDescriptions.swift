import Cluster
import Model
import Scheduling
import StateStore
import Telemetry

/// What the metrics mean, and those that are counted when they are read.
enum MetricDescriptions {
    static let all: [String: String] = [
        "apus_http_requests_total": "Requests to the API, by route, method and class of status.",
        "apus_http_request_seconds": "Time from the head of a request to the head of its answer, by route.",
        "apus_s3_requests_total": "Requests to the object store, by operation and class of status.",
        "apus_events_total": "Events of the object store that were turned into jobs, or that nobody waited for.",
        "apus_jobs_ended_total": "Jobs that ended, by state.",
        "apus_job_attempts_total": "Attempts to run a job that ended, by outcome.",
        "apus_job_wait_seconds": "Time from a job's creation to the start of its stage in.",
        "apus_job_stage_in_seconds": "Time to bring a job's input into its sandbox.",
        "apus_job_run_seconds": "Time that a job's script ran, its sandbox's start included.",
        "apus_job_stage_out_seconds": "Time to bring a job's results to where they belong.",
        "apus_stage_in_bytes_total": "Bytes staged in.",
        "apus_stage_out_bytes_total": "Bytes staged out to the cluster's own store.",
        "apus_delivered_bytes_total": "Bytes delivered to other storages, by destination.",
        "apus_deliveries_total": "Tries to deliver a result, by destination and outcome.",
        "apus_deliveries_dropped_total": "Results that were given up because more waited than may.",
        "apus_webhook_deliveries_total": "Tries to tell a webhook of an event, by webhook and outcome.",
        "apus_lifecycle_removed_total": "What the lifecycles of buckets have deleted, by kind.",
        "apus_run_seconds": "Time of synchronous runs, waiting included.",
        "apus_run_wait_seconds": "Time that synchronous runs waited for room and for a warm instance.",
        "apus_instance_starts_total": "Starts of warm instances, by outcome.",
        "apus_instance_start_seconds": "Time from the decision to start an instance until it could be used.",
        "apus_instances_lost_total": "Instances that ended though nobody had told them to.",
        "apus_clock_jumps_total": "How often the wall clock was set while the cluster ran.",
        "apus_runs_total": "Synchronous runs, by outcome.",
    ]

    /// Jobs by state, deliveries that wait.
    static func register(_ status: ClusterStatus, in registry: PrometheusRegistry) {
        registry.addCallback("apus_jobs", help: "Jobs in the store, by state.") {
            // A scrape while the store is closing finds nothing to say.
            let counts = (try? await status.jobCounts()) ?? [:]
            return counts.map { PrometheusRegistry.Sample(Double($0.value), labels: [("state", $0.key.rawValue)]) }
        }
        registry.addCallback("apus_short", help: "1 where the machine is short of a resource, else 0.") {
            status.shortages.map { resource, isShort in
                PrometheusRegistry.Sample(isShort ? 1 : 0, labels: [("resource", resource.rawValue)])
            }
        }
        registry.addCallback("apus_deliveries_waiting", help: "Results that wait for another storage.") {
            [PrometheusRegistry.Sample(Double((try? await status.waitingDeliveries()) ?? 0))]
        }
    }

    /// Warm instances.
    static func register(_ scheduler: JobScheduler, in registry: PrometheusRegistry) {
        registry.addCallback("apus_instances", help: "Warm instances that are there, by whether they work or wait.") {
            let (busy, idle) = scheduler.instanceCounts
            return [
                PrometheusRegistry.Sample(Double(busy), labels: [("state", "busy")]),
                PrometheusRegistry.Sample(Double(idle), labels: [("state", "idle")]),
            ]
        }
    }

    /// What webhooks are still to be told.
    static func register(_ state: ClusterState, in registry: PrometheusRegistry) {
        registry.addCallback("apus_webhook_deliveries_waiting", help: "Events that a webhook has not taken yet.") {
            let counts = (try? await state.webhookDeliveryCounts()) ?? [:]
            return counts.map { PrometheusRegistry.Sample(Double($0.value), labels: [("webhook", $0.key)]) }
        }
    }
}
