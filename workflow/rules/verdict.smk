rule verdict:
    input:
        curves=rules.collect.output.curves,
        scenario=ancient(SCENARIO_FILE),
    output:
        verdicts=f"{BASE}/{{part}}verdicts.json",
        table=report(
            f"{BASE}/{{part}}tables/verdict.html",
            caption="../report/verdict.rst",
            category="Verdict",
            labels={"table": "verdict"},
        ),
        others=[f"{BASE}/{{part}}tables/verdict.{kind}" for kind in ("csv", "md")],
    log:
        f"{BASE}/{{part}}logs/verdict.log",
    benchmark:
        f"{BASE}/{{part}}benchmarks/verdict.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        partial=partial_flag,
        version=version("frl.verdicts.judge", "frl.report.tables.verdict"),
    message:
        "Judge the claims"
    shell:
        "frl verdict {input.scenario:q} {params.partial} > {log} 2>&1"
