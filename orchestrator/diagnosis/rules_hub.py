"""Causes in the hub: a model that is not on the node and cannot be downloaded."""

from __future__ import annotations

from orchestrator.diagnosis.rule import Rule, texts

RULES = (
    Rule(
        id="hub-certificate",
        title="the certificate of the hub, or of a proxy before it, is not trusted",
        why=(
            "The connection ends at somebody whose certificate the image's list of authorities does not know: a "
            "company's proxy, a mirror."
        ),
        advice=(
            (
                "Mount the authority's certificate with container.mounts and name it: SSL_CERT_FILE and "
                "REQUESTS_CA_BUNDLE in container.env."
            ),
            "Or put the model on the node, mount it with container.mounts and give its path as server.model.",
        ),
        log=texts(r"CERTIFICATE_VERIFY_FAILED|SSLCertVerificationError|certificate verify failed"),
        of_a_start=True,
    ),
    Rule(
        id="hub-access-denied",
        title="the hub does not let this server have the model",
        why=(
            "The model is gated or private: its licence has to be accepted on the hub by an account, and the server "
            "has to show a token of that account."
        ),
        advice=(
            (
                "Accept the model's terms on the hub, then set HF_TOKEN in server.env or container.env to a token "
                "of that account."
            ),
            "Check that the token may read gated models and has not expired.",
            "Or download it elsewhere, mount it with container.mounts and give its path as server.model.",
        ),
        log=texts(
            (
                r"NoCredentialsError|LocalTokenNotFoundError|ClientError: An error occurred \((?:403|401"
                r"|AccessDenied|InvalidAccessKeyId)\)"
            ),
            r"HTTP(?:Status)?Error: .*(?:403 Forbidden|401 Client Error|401 Unauthorized)",
            r"GatedRepoError|You are trying to access a gated repo|Access to model \S+ is restricted",
            r"Error: (?:401|403) Client Error: (?:Unauthorized|Forbidden) for url: https?://\S+/resolve/",
            r"Error: .*(?:Invalid user token|Invalid username or password)",
        ),
        of_a_start=True,
    ),
    Rule(
        id="hub-model-unknown",
        title="the hub has no such model, or does not show it to strangers",
        why=(
            "The name is wrong, the revision or file is not there, or the model is private: without a token both "
            "look the same."
        ),
        advice=(
            (
                "Check server.model, and server.flags.revision if it is set: {name}",
                "Check server.model, and server.flags.revision if it is set.",
            ),
            "If the model is private, set HF_TOKEN in server.env or container.env.",
            (
                "If a folder is meant, give its path in the container, beginning with / , and mount it with "
                "container.mounts."
            ),
        ),
        log=texts(
            (
                r"DisabledRepoError|modelscope\S*\.NotExistError|(?:Remote)?EntryNotFoundError: 404"
                r""
            ),
            r"RepositoryNotFoundError|RevisionNotFoundError|Repository Not Found for url",
            (
                r"(?:OSError|ValueError|EnvironmentError): (?P<name>[^/\s]\S*) is not a local folder and is not a "
                r"valid model"
            ),
            r"Error: 404 Client Error: Not Found for url: https?://\S+/resolve/",
        ),
        of_a_start=True,
    ),
    Rule(
        id="hub-rate-limit",
        title="the hub answers no more requests for now",
        why="Too many requests came from this address or account in a short time.",
        advice=(
            "Wait, then start again; HF_TOKEN in server.env or container.env raises the limit.",
            "Better: put the model on the node, mount it with container.mounts and give its path as server.model.",
        ),
        log=texts(
            r"429 Client Error|HTTP error 429\b|Too Many Requests for url",
            r"HTTP(?:Status)?Error: (?:.* )?429 |429 Too Many Requests: you have reached",
        ),
        of_a_start=True,
    ),
    Rule(
        id="hub-unreachable",
        title="the model would have to come from the hub, which cannot be reached",
        why=(
            "server.model is the name of a repository, it is not in the container's cache, and the hub does not "
            "answer or is switched off."
        ),
        advice=(
            (
                "Put the model on the node, mount it with container.mounts and give its path in the container as "
                "server.model."
            ),
            (
                "Or let the container reach the hub: container.network, a proxy in container.env, HF_ENDPOINT for "
                "a mirror, no HF_HUB_OFFLINE; or mount a filled cache on /root/.cache/huggingface."
            ),
        ),
        log=texts(
            (
                r"requests\.exceptions\.(?:Connect|Read|Proxy|Chunked)\w*: (?!.*(?:CERT|127\.0\.0\.1|localhost))"
                r"|urllib3\.exceptions\.\w+Error: (?!.*(?:CERT|127\.0\.0\.1|localhost))"
            ),
            (
                r"httpx\.(?:\w*Timeout|ProxyError|ReadError|RemoteProtocolError|ConnectError)\b(?!.*(?:CERT|SSL))"
                r"|httpcore\.(?:\w*Timeout|ProxyError|ReadError|RemoteProtocolError|ConnectError)\b(?!.*(?:CERT|SSL))"
            ),
            (
                r"RuntimeError: Data processing error: (?!.*(?:No space|os error 28|Permission))"
                r"|Error: .*CAS (?:service|[Cc]lient) [Ee]rror"
            ),
            (
                r"FileMetadataError|Consistency check failed: file should be of size|RevisionResolutionError"
                r"|FileDownloadError: "
            ),
            r"host='\S*modelscope\S*'.*Max retries exceeded|EndpointConnectionError: Could not connect to the endpoint",
            r"LocalEntryNotFoundError|OfflineModeIsEnabled",
            r"We couldn't connect to 'https?://\S+' to load",
            (
                r"Can't load (?:the configuration|the model|tokenizer|config) (?:of"
                r"|for) '[^/']\S*'\. If you were trying to load"
            ),
            r"Invalid repository ID or local directory specified: '[^/']",
            r"Cannot find an appropriate cached snapshot folder|outgoing traffic has been disabled",
            r"huggingface\.co.*(?:Max retries exceeded|timed out|Failed to resolve|NameResolutionError)(?!.*SSLCert)",
            r"Max retries exceeded with url.*NameResolutionError|httpx\.Connect(?:Error|Timeout)\b(?!.*(?:SSL|CERT))",
            r"50[0234] Server Error: .* for url: https?://\S*(?:huggingface|hf-mirror|modelscope)",
        ),
        raised=texts(
            r"/(?:requests|urllib3|httpx|httpcore|huggingface_hub|modelscope)/.* → (?:\w+\.)*gaierror: ",
        ),
        of_a_start=True,
    ),
)
