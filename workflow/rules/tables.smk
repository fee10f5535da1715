rule tables:
    input:
        curves=rules.collect.output.curves,
        runs=rules.collect.output.runs,
        missing=rules.collect.output.missing,
        scenario=ancient(SCENARIO_FILE),
    output:
        *[
            report(
                f"{BASE}/{{part}}tables/{name}.html",
                caption=f"../report/{name}.rst",
                category="Tables",
                labels={"table": name.replace("_", " ")},
            )
            for name in TABLES
        ],
        *[
            f"{BASE}/{{part}}tables/{name}.{kind}"
            for name in TABLES
            for kind in ("csv", "md")
        ],
    log:
        f"{BASE}/{{part}}logs/tables.log",
    benchmark:
        f"{BASE}/{{part}}benchmarks/tables.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        partial=partial_flag,
        version=version("frl.report.tables.summary", claims=False),
    message:
        "Write the tables"
    shell:
        "frl tables {input.scenario:q} {params.partial} > {log} 2>&1"
