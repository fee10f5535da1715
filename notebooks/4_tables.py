# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% tags=["parameters"]
from pathlib import Path

from frl.scenario.loading import load_scenario

scenario = load_scenario("config/quick.yaml")
base = Path("results/quick")

# %%
from frl.analysis.load import read_runs
from frl.report import settings, show

# %% [markdown]
# ## Verdicts

# %%
show.verdicts(scenario, base)

# %% [markdown]
# ## Tables

# %%
show.table(base, "results")

# %% [markdown]
# ## Provenance
#
# ### Run it again
#
# The first command takes in the published runs, so the second trains nothing and builds this report again. The third
# trains one run again and compares the bytes.

# %%
show.commands(scenario)

# %% [markdown]
# ### Settings, columns, machines, versions, digests

# %%
runs = read_runs(base)
shared, different = settings.settings(scenario)
show.frame(shared, fold=f"{len(shared)} settings shared by all runs")

# %%
show.frame(different, fold=f"{len(different)} settings that differ (a dash: the method has no such setting)")

# %% [markdown]
# <details><summary>Columns of curves.csv</summary>
#
# | column | meaning |
# |---|---|
# | `env_steps_total` | environment steps of all updates that have arrived; steps of evaluations are not counted |
# | `env_steps_per_agent` | `env_steps_total` / N: what one agent sampled on average |
# | `env_steps_agent_min`, `env_steps_agent_max` | the same for the agents that sampled least and most |
# | `sim_time_s` | simulated seconds: computing (steps × the agent's seconds per step), overhead and communication |
# | `server_step` | k, updates of the policy by the server |
# | `uploads`, `uplink_bytes`, `downlink_bytes` | messages from agents; bytes of all messages up and down |
# | `eval_return_mean` | mean undiscounted return of the server's policy (actions sampled) in environments of its own |
# | `eval_return_mean_action` | the same with the policy's mean action, at some points only |
# | `train_return_mean` | mean return of training episodes ended since the previous row, played by older parameters |
# | `staleness_mean`, `staleness_max` | server steps between a task's dispatch and the use of its gradient |
# | `stop_at` | return at which the run was set to end, empty if at none |
# | `staleness_counts` | their histogram since the previous row: `1:5/9:2` is five arrivals of 1 and two of 9 |
#
# </details>

# %%
show.frame(settings.machines(runs), fold="Machines")

# %%
show.frame(settings.versions(runs), fold="Versions, commits and code digests")

# %% [markdown]
# A digest stands for a run's settings and the code that its algorithm uses. Runs with equal digests have byte-identical
# logs on one kind of processor.

# %%
show.frame(settings.digests(runs), fold=f"{len(runs)} runs and their digests")
