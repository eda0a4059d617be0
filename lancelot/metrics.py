"""What Prometheus may scrape. One registry a process; labels are lanes, statuses and task names, never text."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

from lancelot.store.receipts import Receipt

__all__ = ["Metrics"]

LATENCY_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The counters and gauges of one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        home = self._registry
        self.requests = Counter("lancelot_requests", "Attempts by lane and status", ["lane", "status"], registry=home)
        self.tokens = Counter(
            "lancelot_tokens", "Tokens as providers reported them", ["lane", "direction"], registry=home
        )
        self.cost = Counter("lancelot_cost_usd", "Known cost in US dollars", ["lane"], registry=home)
        self.unpriced = Counter(
            "lancelot_unpriced_requests", "Attempts whose model has no price", ["lane"], registry=home
        )
        self.redactions = Counter("lancelot_redactions", "Redacted spans by type", ["label"], registry=home)
        self.latency = Histogram(
            "lancelot_request_seconds", "Whole attempt", ["lane"], buckets=LATENCY_BUCKETS_S, registry=home
        )
        self.ready = Gauge("lancelot_ready", "1 when requests would be carried out", registry=home)
        self.brain_ready = Gauge("lancelot_local_model_ready", "1 when the local utility model answers", registry=home)
        self.queued = Gauge("lancelot_gateway_queued", "Requests waiting for a place", registry=home)
        self.http = Counter(
            "lancelot_http_requests", "Answers by route pattern and status", ["route", "status"], registry=home
        )
        self.http_latency = Histogram(
            "lancelot_http_request_seconds", "From first byte to last", buckets=LATENCY_BUCKETS_S, registry=home
        )
        ProcessCollector(registry=home)  # memory, processor time, open files
        GCCollector(registry=home)

    def watch(self, **looks: tuple[str, Callable[[], float]]) -> None:
        """Add gauges that are read at each scrape: name without `lancelot_` -> (help, look)."""
        for name, (words, look) in looks.items():
            Gauge(f"lancelot_{name}", words, registry=self._registry).set_function(look)

    def answered(self, route: str, status: int, took_s: float) -> None:
        """Count one HTTP answer; `route` is the pattern, never an address."""
        self.http.labels(route, str(status)).inc()
        self.http_latency.observe(took_s)

    def count(self, receipt: Receipt) -> None:
        """Add one attempt."""
        lane = receipt.lane or "none"
        self.requests.labels(lane, receipt.status).inc()
        self.tokens.labels(lane, "in").inc(receipt.tokens_in or 0)
        self.tokens.labels(lane, "out").inc(receipt.tokens_out or 0)
        if receipt.cost_usd is None:
            self.unpriced.labels(lane).inc()
        else:
            self.cost.labels(lane).inc(float(receipt.cost_usd))
        for label, number in receipt.redactions.items():
            self.redactions.labels(label).inc(number)
        if receipt.latency.total_ms is not None:
            self.latency.labels(lane).observe(receipt.latency.total_ms / 1000)

    def render(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self._registry)
