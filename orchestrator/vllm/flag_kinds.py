"""What each flag of `vllm serve` and of `vllm bench serve` takes, where no parser can be asked.

Source: the parsers of the versions in `LOOKED_AT`, by `orchestrator.inside.parsers`. A row's key tells how flags are
given, first version first: `switch` (`--x` alone), `toggle` (also `--no-x`), or a kind of value: `text`, `int`, `size`
(a whole number or one such as 1k), `float`, `json`, `literal` (what JSON says, as Python writes it), which `|auto`
widens by that word. `+` and `*` are several words after one flag, `?` is one or none, `&` is the flag anew for each.
From a version on, another form takes its place: exactly from then on for a version that is not among those looked at.
vLLM's source tells of these (`CompilationConfig.from_cli` is `ast.literal_eval` up to 0.8.5, `json.loads` in 0.9.0).
"""

from __future__ import annotations

from collections.abc import Mapping

LOOKED_AT = ("0.8.5", "0.9.2", "0.11.2", "0.14.1", "0.32.0", "0.33.0")

SERVE: Mapping[str, str] = {
    "float": """
        cpu-offload-gb device-memory-utilization dp-supervisor-probe-interval-s dp-supervisor-probe-timeout-s
        gpu-memory-utilization kv-cache-metrics-sample kv-offloading-size mm-encoder-fp8-scale-save-margin
        mm-ipc-gpu-memory-gb mm-processor-cache-gb rope-theta scheduler-delay-factor swap-space video-pruning-rate
        watermark
    """,
    "float+": """
        long-lora-scaling-factors
    """,
    "int": """
        api-server-count block-size cp-kv-cache-interleave-size cpu-distributed-timeout-seconds data-parallel-rank
        data-parallel-rpc-port data-parallel-size data-parallel-size-local data-parallel-start-rank
        data-parallel-supervisor-port dbo-decode-token-threshold dbo-prefill-token-threshold
        dcp-kv-cache-interleave-size decode-context-parallel-size distributed-timeout-seconds
        dp-supervisor-probe-failure-threshold dp-sync-interval elastic-ep-max-dp-size eplb-step-interval
        eplb-window-size grpc-port h11-max-header-count h11-max-incomplete-event-size long-prefill-token-threshold
        lora-extra-vocab-size mamba-block-size mamba-cache-philox-rounds master-port max-cpu-loras
        max-cudagraph-capture-size max-log-len max-logprobs max-long-partial-prefills max-lora-cls-labels max-lora-rank
        max-loras max-num-active-seqs max-num-partial-prefills max-num-queued-reqs max-num-seqs
        max-parallel-loading-workers max-prompt-adapter-token max-prompt-adapters max-seq-len-to-capture
        mm-shm-cache-max-object-size-mb nnodes node-rank num-gpu-blocks-override num-lookahead-slots
        num-redundant-experts num-scheduler-steps offload-group-size offload-num-in-group offload-prefetch-step
        pipeline-parallel-size port prefill-context-parallel-size prefill-schedule-interval
        prefix-cache-retention-interval prefix-match-unit renderer-num-workers replayssm-buffer-len
        safetensors-prefetch-num-threads seed shutdown-timeout spec-tokens sse-keep-alive-interval ssl-cert-reqs
        stream-interval tensor-parallel-size tokenizer-pool-size ubatch-size
    """,
    "int 0.9.2:size": """
        max-num-batched-tokens
    """,
    "int+": """
        cuda-graph-sizes cudagraph-capture-sizes numa-bind-nodes
    """,
    "literal 0.9.0:json": """
        compilation-config
    """,
    "json": """
        allowed-headers allowed-methods allowed-origins attention-config aux-output-config
        custom-histogram-buckets default-chat-template-kwargs default-mm-loras diffusion-config ec-manager-config
        ec-transfer-config engram-config eplb-config fault-tolerance-config ir-op-priority kernel-config
        kv-events-config kv-transfer-config limit-mm-per-prompt logging-config media-io-kwargs mm-processor-kwargs
        model-class-overrides override-generation-config override-neuron-config pooler-config profiler-config
        quantization-config reasoning-config reasoning-effort-map rope-scaling speculative-config
        structured-outputs-config tokenizer-pool-extra-config watchdog-config watermark-config weight-transfer-config
    """,
    "json 0.9.2:text": """
        additional-config hf-overrides model-loader-extra-config
    """,
    "json 0.9.2:text 0.11.2:json": """
        override-pooler-config
    """,
    "size": """
        kv-cache-memory-bytes max-num-queued-tokens max-num-scheduled-tokens safetensors-prefetch-block-size
    """,
    "size 0.14.1:size|auto": """
        max-model-len
    """,
    "switch": """
        aggregate-engine-logging data-parallel-multi-port-external-lb disable-async-output-proc disable-auto-tool-choice
        disable-batch-sharded-sampling disable-chunked-prefill disable-cumem-allocator disable-dbo disable-elastic-ep
        disable-ep-weight-filter disable-eplb disable-expert-parallel disable-fault-tolerance
        disable-flash-late-interaction disable-flashinfer-autotune disable-force-include-usage disable-hc-sp
        disable-layerwise-nvtx-tracing disable-log-deltas disable-log-outputs disable-log-stats
        disable-logging-iteration-details disable-lora disable-mamba-cache-stochastic-rounding
        disable-mamba-shared-prefix-checkpoint disable-mfu-metrics disable-mixed-moe-lora-format disable-mm-embeds
        disable-moe-shared-loras disable-nccl-comm-suspend disable-offline-docs disable-per-request-metrics
        disable-prefix-caching disable-prompt-embeds disable-prompt-tokens-details disable-request-id-headers
        disable-return-routed-experts disable-scale-out disable-server-load-tracking disable-shm-tensor-arena
        disable-sleep-mode disable-ssl-refresh disable-tokenizer-info-endpoint disable-tower-connector-lora
        disable-trace-replay enable-cascade-attn enable-chunked-mm-input enable-custom-all-reduce enable-fastapi-docs
        enable-hybrid-kv-cache-manager enable-nccl-for-dp-synchronization enable-sliding-window
        enable-uvicorn-access-log expand-tools-even-if-tool-choice-none grpc headless use-v2-block-manager
    """,
    "switch 0.11.2:toggle": """
        allow-credentials disable-fastapi-docs disable-frontend-multiprocessing disable-uvicorn-access-log
        enable-auto-tool-choice enable-force-include-usage enable-prompt-tokens-details enable-request-id-headers
        enable-server-load-tracking enable-ssl-refresh return-tokens-as-token-ids
    """,
    "switch 0.11.2:toggle 0.33.0:switch": """
        disable-log-requests
    """,
    "switch 0.9.2:toggle": """
        disable-cascade-attn disable-sliding-window enable-reasoning enable-sleep-mode enforce-eager skip-tokenizer-init
        trust-remote-code
    """,
    "switch 0.9.2:toggle 0.11.2:switch": """
        disable-mm-preprocessor-cache
    """,
    "text": """
        all2all-backend allowed-local-media-path anthropic-disabled-thinking-effort attention-backend chat-template
        chat-template-content-format code-revision cohere-format config config-format convert data-parallel-address
        data-parallel-backend dcp-comm-backend device device-ids disable-access-log-for-endpoints
        distributed-executor-backend download-dir dtype expert-placement-strategy fingerprint-mode fingerprint-value
        gdn-prefill-backend generation-config guided-decoding-backend hf-config-path host io-processor-plugin
        jit-monitor-mode kda-decode-backend kda-prefill-backend kv-cache-dtype kv-offloading-backend linear-backend
        load-format log-config-file log-level logits-processor-pattern logprobs-mode lora-dtype mamba-backend
        mamba-cache-dtype mamba-cache-mode mamba-ssm-cache-dtype mamba-ssu-algorithm master-addr mm-encoder-attn-backend
        mm-encoder-attn-dtype mm-encoder-fp8-scale-path mm-encoder-fp8-scale-save-path mm-encoder-tp-mode
        mm-hasher-algorithm mm-processor-cache-type mm-processor-device mm-tensor-ipc model model-impl moe-backend
        offload-backend optimization-level otlp-traces-endpoint override-attention-dtype per-request-spec-decode-metrics
        performance-mode preemption-mode prefix-caching-hash-algo pt-load-map-location qlora-adapter-name-or-path
        quantization reasoning-parser reasoning-parser-plugin response-role revision root-path runner
        safetensors-load-strategy scheduler-cls scheduling-policy show-hidden-metrics-for-version sleep-mode-backend
        sparse-indexer-topk-backend spec-method spec-model ssl-ca-certs ssl-certfile ssl-ciphers ssl-keyfile task
        tokenizer tokenizer-mode tokenizer-pool-type tokenizer-revision tool-call-parser tool-parser-plugin tool-server
        tool-strict-level uds uvicorn-log-level video-pruning-method worker-cls worker-extension-cls
    """,
    "text 0.11.2:text+": """
        api-key
    """,
    "text 0.9.2:text+": """
        collect-detailed-traces
    """,
    "text&": """
        middleware
    """,
    "text& 0.9.2:text+": """
        ignore-patterns
    """,
    "text+": """
        allowed-media-domains cpu-offload-params kv-cache-dtype-skip-layers logits-processors lora-modules
        lora-target-modules numa-bind-cpus offload-params prompt-adapters served-model-name
        sleep-preserve-parameter-names
    """,
    "text?": """
        hf-token
    """,
    "toggle": """
        allow-deprecated-quantization async-scheduling calculate-kv-scales cohere-is-reasoning-model cudagraph-metrics
        data-parallel-external-lb data-parallel-hybrid-lb dcp-q-replicate disable-chunked-mm-input
        disable-custom-all-reduce disable-hybrid-kv-cache-manager disable-nccl-for-dp-synchronization
        enable-batch-sharded-sampling enable-chunked-prefill enable-cumem-allocator enable-dbo enable-elastic-ep
        enable-ep-weight-filter enable-eplb enable-expert-parallel enable-fault-tolerance enable-flash-late-interaction
        enable-flashinfer-autotune enable-hc-sp enable-layerwise-nvtx-tracing enable-log-deltas enable-log-outputs
        enable-log-requests enable-logging-iteration-details enable-lora enable-lora-bias
        enable-mamba-cache-stochastic-rounding enable-mamba-shared-prefix-checkpoint enable-mfu-metrics
        enable-mixed-moe-lora-format enable-mm-embeds enable-moe-shared-loras enable-nccl-comm-suspend
        enable-offline-docs enable-per-request-metrics enable-prefix-caching enable-prompt-adapter enable-prompt-embeds
        enable-return-routed-experts enable-scale-out enable-shm-tensor-arena enable-tokenizer-info-endpoint
        enable-tower-connector-lora enable-trace-replay eplb-log-balancedness exclude-tools-when-tool-choice-none
        fail-on-environ-validation fully-sharded-loras interleave-mm-strings jit-monitor-verbose kv-cache-metrics
        kv-sharing-fast-prefill language-model-only log-error-stack long-prefill-token-threshold-adaptive
        mm-device-do-normalize mm-encoder-only monokernel multi-step-stream-outputs numa-bind ray-workers-use-nsight
        return-sampling-mask scheduler-reserve-full-isl skip-mm-profiling sleep-mode-offload-cudagraph
        specialize-active-lora swa-bounded-replay tokens-only trust-request-chat-template trust-request-mm-kwargs
        use-fp64-gumbel use-replayssm use-tqdm-on-load
    """,
    "toggle 0.11.2:switch": """
        enable-multimodal-encoder-data-parallel
    """,
    "toggle 0.11.2:text": """
        guided-decoding-disable-additional-properties guided-decoding-disable-any-whitespace
        guided-decoding-disable-fallback
    """,
}

BENCH: Mapping[str, str] = {
    "float": """
        asr-max-audio-len-sec asr-min-audio-len-sec blazedit-max-distance blazedit-min-distance burstiness
        frequency-penalty min-p presence-penalty probe-request-rate random-mm-num-mm-items-range-ratio
        repetition-penalty request-rate temperature timed-trace-sec-multiplier top-p
    """,
    "float 0.32.0:text": """
        random-range-ratio
    """,
    "int": """
        best-of custom-output-len hf-output-len input-len logprobs max-concurrency num-prompts num-warmups output-len
        port prefix-repetition-num-prefixes prefix-repetition-output-len prefix-repetition-prefix-len
        prefix-repetition-suffix-len ramp-up-end-rps ramp-up-start-rps random-batch-size random-input-len
        random-mm-base-items-per-request random-output-len random-prefix-len ready-check-timeout-sec seed
        sharegpt-output-len sonnet-input-len sonnet-output-len sonnet-prefix-len spec-bench-output-len
        speed-bench-output-len timed-trace-chunk-hash-size top-k
    """,
    "json": """
        chat-template-kwargs extra-body random-mm-limit-mm-per-prompt
    """,
    "literal": """
        random-mm-bucket-config
    """,
    "switch": """
        append-result custom-ensure-client-side-data custom-skip-chat-template disable-shuffle disable-tqdm
        enable-multimodal-chat ignore-eos insecure no-oversample no-reranker no-stream plot-dataset-stats plot-timeline
        profile save-detailed save-result skip-chat-template skip-tokenizer-init trust-remote-code use-beam-search
    """,
    "text": """
        backend base-url bfcl-categories dataset-name dataset-path endpoint endpoint-type hf-name hf-split hf-subset
        host label lora-assignment metric-percentiles model percentile-metrics ramp-up-strategy
        request-id-prefix result-dir result-filename served-model-name spec-bench-category speed-bench-category
        speed-bench-dataset-subset timed-trace-label-hash-ids timed-trace-label-input-length
        timed-trace-label-output-length timed-trace-label-timestamp timeline-itl-thresholds tokenizer tokenizer-mode
    """,
    "text*": """
        header metadata
    """,
    "text+": """
        goodput lora-modules
    """,
    "toggle": """
        self-timed
    """,
}

KNOWN = frozenset(name for table in (SERVE, BENCH) for names in table.values() for name in names.split())
"""Every long name in the tables."""
