rule report:
    input:
        collected=rules.collect.output,
        figures=rules.figures.output,
        tables=rules.tables.output,
        verdicts=rules.verdict.output.verdicts if SCENARIO.claims else [],
        notebooks=NOTEBOOKS,
        scenario=ancient(SCENARIO_FILE),
    output:
        report(
            f"{BASE}/{{part}}report.html",
            caption="../report/report.rst",
            category="Report",
            labels={"page": "report"},
        ),
    log:
        f"{BASE}/{{part}}logs/report.log",
    benchmark:
        f"{BASE}/{{part}}benchmarks/report.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        partial=partial_flag,
        notebooks=lambda wildcards, input: str(Path(input.notebooks[0]).parent),
        version=version(trials=True),
    message:
        "Run the notebooks and render {output}"
    shell:
        "frl report {input.scenario:q} {params.partial} --notebooks {params.notebooks:q} > {log} 2>&1"
