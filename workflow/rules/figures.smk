rule figures:
    input:
        curves=rules.collect.output.curves,
        runs=rules.collect.output.runs,
        missing=rules.collect.output.missing,
        verdicts=rules.verdict.output.verdicts if SCENARIO.claims else [],
        scenario=ancient(SCENARIO_FILE),
    output:
        *[
            report(
                f"{BASE}/{{part}}figures/{name}.svg",
                caption=f"../report/{name}.rst",
                category="Figures",
                labels={"figure": name.replace("_", " ")},
            )
            for name in FIGURES
        ],
        *[
            f"{BASE}/{{part}}figures/{name}{rest}"
            for name in FIGURES
            for rest in FIGURE_FILES
        ],
    log:
        f"{BASE}/{{part}}logs/figures.log",
    benchmark:
        f"{BASE}/{{part}}benchmarks/figures.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        partial=partial_flag,
        version=version("frl.report.figures.draw"),
    message:
        "Draw the figures"
    shell:
        "frl figures {input.scenario:q} {params.partial} > {log} 2>&1"
