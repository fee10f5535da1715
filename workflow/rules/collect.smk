rule collect:
    input:
        wanted_runs,
        scenario=ancient(SCENARIO_FILE),
    output:
        curves=f"{BASE}/{{part}}curves.csv",
        runs=f"{BASE}/{{part}}runs.csv",
        missing=f"{BASE}/{{part}}missing.csv",
    log:
        f"{BASE}/{{part}}logs/collect.log",
    benchmark:
        f"{BASE}/{{part}}benchmarks/collect.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        partial=partial_flag,
        finished=finished_runs,
        version=version("frl.analysis.load", claims=False),
    message:
        "Collect the runs into {output.curves}"
    shell:
        "frl collect {input.scenario:q} {params.partial} > {log} 2>&1"
