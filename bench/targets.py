"""What the market means to reach, as ratios; and the table of what it did."""

from dataclasses import dataclass

from bench.figures import Figures, rows


@dataclass(frozen=True)
class Target:
    """A figure by its dotted name, and the least or the most it should be."""

    figure: str
    says: str
    least: float | None = None
    most: float | None = None

    def met(self, value: float) -> bool:
        return (self.least is None or value >= self.least) and (
            self.most is None or value <= self.most
        )

    @property
    def bound(self) -> str:
        return f"≥ {self.least}" if self.least is not None else f"≤ {self.most}"


BIG = "catalogue.with_1000000"
TARGETS = (
    Target("purchase.hot.vs_pgbench", "hot purchase, to pgbench", least=3),
    Target("purchase.spread.vs_pgbench", "spread purchase, to pgbench", least=0.8),
    Target("purchase.hot.vs_usual_stack", "hot purchase, to the usual stack", least=6),
    Target("purchase.spread.vs_usual_stack", "spread purchase, to the usual stack", least=6),
    Target("latency.hot.half_load.p99_over_p50", "hot, half load: p99 to p50", most=5),
    Target("latency.spread.half_load.p99_over_p50", "spread, half load: p99 to p50", most=5),
    *(
        Target(f"catalogue.with_{size}.{page}.vs_constant", f"{says}, {size:,} products", least=0.8)
        for size in (1_000, 1_000_000)
        for page, says in (
            ("list", "page 1, to constant JSON"),
            ("list_1000", "page 1,000, to constant JSON"),
            ("search", "search, to constant JSON"),
            ("detail", "detail, to constant JSON"),
        )
    ),
    Target(f"{BIG}.page_1_vs_page_1000", "page 1 to page 1,000", most=1.2),
    Target("growth.cost_most_vs_least", "CPU per purchase, most trades to fewest", most=1.2),
)


def table(figures: Figures) -> str:
    """In Markdown: whatever was measured of the targets."""
    measured = dict(rows(figures))
    lines = ["| what | reached | meant | |", "|---|---|---|---|"]
    for target in TARGETS:
        if (value := measured.get(target.figure)) is not None:
            verdict = "✓" if target.met(value) else "✗"
            lines.append(f"| {target.says} | {value} | {target.bound} | {verdict} |")
    return "\n".join(lines)
