/// The examples of the language's description, one for each group of fields.
enum FDLExamples {
    /// Minimal sync/async echo.
    static let minimal = #"""
        functions:
          oscar:
          - default-cluster:
              name: shout
              image: docker.io/library/busybox:1.36
              cpu: "0.5"
              memory: 128Mi
              log_level: CRITICAL
              script: shout.sh          # tr a-z A-Z < "$INPUT_FILE_PATH"
        """#

    /// Event-driven with filters, secrets, isolation, sync warm pool.
    static let events = #"""
        functions:
          oscar:
          - lab:
              name: thumbs
              image: ghcr.io/acme/imagetools:2
              cpu: "1"
              memory: 512Mi
              ephemeral_storage_request: 500Mi
              script: thumbs.sh
              vo: vo.example.org
              visibility: restricted
              allowed_users: ["a1b2c3d4e5f60718@egi.eu"]
              isolation_level: USER
              synchronous: {min_scale: 1, max_scale: 4}
              input:
              - {storage_provider: minio.default, path: thumbs/incoming}
              output:
              - {storage_provider: minio.default, path: thumbs/small, prefix: [s_], suffix: [.png]}
              - {storage_provider: s3.archive, path: acme-archive/thumbs, suffix: [.json]}
              environment:
                variables: {SIZE: "256"}
                secrets: {API_KEY: "do-not-log"}
              labels: {team: vision}
              annotations: {example.org/cost: "42"}
              image_pull_secrets: [ghcr-login]
        storage_providers:
          s3:
            archive: {access_key: AK, secret_key: SK, region: eu-west-1}
        """#

    /// Mount, volume, GPU.
    static let mounts = #"""
        functions:
          oscar:
          - lab:
              name: trainer
              image: ghcr.io/acme/train:1
              cpu: "4"
              memory: 16Gi
              enable_gpu: true
              image_prefetch: true
              script: train.sh
              mount: {storage_provider: minio.default, path: datasets, options: "--vfs-cache-mode full"}
              volume: {size: 5Gi, mount_path: /cache, lifecycle_policy: retain}
              output:
              - {storage_provider: minio.default, path: trainer/models}
        """#

    /// Exposed.
    static let exposed = #"""
        functions:
          oscar:
          - lab:
              name: notebook
              image: quay.io/jupyter/base-notebook:latest
              cpu: "1"
              memory: 1Gi
              script: start.sh
              expose:
                api_port: [8888, 9090]
                min_scale: 1
                max_scale: 1
                cpu_threshold: 90
                rewrite_target: true
                set_auth: true
                auth_type: basic
                health_path: /api
        """#

    /// Warm functions.
    static let modes = #"""
        functions:
          oscar:
          - lab:
              name: faces
              sandbox: process
              image: faces
              script: faces.sh
              mode: resident
              instances: {min: 1, max: 4, idle: 10m, max_invocations: 1000, max_age: 24h, concurrency: 2, batch: {files: 32, wait: 20ms}}
          - lab:
              name: api
              image: api
              script: api.sh
              mode: server
              synchronous: {min_scale: 2}
              server: {port: 9000, health_path: /health}
          - lab:
              name: clean
              image: busybox
              script: clean.sh
              instances:
                fresh: true
        """#

    /// Other storage.
    static let storages = #"""
        functions:
          oscar:
          - lab:
              name: grid
              image: ghcr.io/acme/grid:1
              script: grid.sh
              input:
              - {storage_provider: webdav.dcache, path: /pnfs/site/in}
              - {storage_provider: rucio.r1, path: ignored}
              output:
              - {storage_provider: onedata.hub, path: results/run1}
              - {storage_provider: webdav.dcache, path: /pnfs/site/out}
        storage_providers:
          onedata: {hub: {oneprovider_host: one.example.org, token: T, space: demo}}
          webdav: {dcache: {hostname: "dcache.example.org:2880", login: u, password: p}}
          rucio:
            r1: {host: https://rucio.example.org, auth_host: https://auth.example.org, account: u, rse: SITE-DISK,
                 refresh_token: R, oidc_audience: rucio, token_endpoint: https://idp.example.org/token}
        """#

    /// Two clusters, federation.
    static let federation = #"""
        functions:
          oscar:
          - edge:
              name: detect
              image: ghcr.io/acme/detect:3
              cpu: "1"
              memory: 1Gi
              script: detect.sh
              input:  [{storage_provider: minio.default, path: detect/in}]
              output: [{storage_provider: minio.default, path: detect/out}]
              environment: {secrets: {refresh_token: "<oidc refresh token>"}}
              federation:
                topology: star
                delegation: load-based
                rescheduler_threshold: 30
                members:
                - {type: oscar, cluster_id: cloud, service_name: detect, priority: 0}
                - {type: endpoint, url: "https://fn.example.org/ingest", ssl_verify: true, priority: 1, headers: {X-Key: abc}}
        clusters:
          cloud: {endpoint: https://cloud.example.org, ssl_verify: true}
        """#

    /// KServe LLM.
    static let kserve = #"""
        functions:
          oscar:
          - lab:
              name: chat
              image: docker.io/curlimages/curl:8.18.0
              alpine: true
              script: ask.sh
              kserve:
                type: llm_inference
                llm_inference: {runtime_image: "ghcr.io/acme/vllm-cpu:1"}
                storage_uri: "oci://ghcr.io/acme/model:latest"
                cpu: "2"
                memory: 6Gi
                args: ["--dtype=auto"]
                env: {VLLM_CPU_KVCACHE_SPACE: "1"}
        """#
}
