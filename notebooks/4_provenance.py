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

# %% [markdown]
# # Provenance
#
# ## Settings
#
# Every setting with its value after all defaults and overrides. First those that all runs of the scenario share:

# %%
from frl.analysis.load import read_runs
from frl.report import settings, show

runs = read_runs(base)
shared, different = settings.settings(scenario)
show.frame(shared, fold=f"{len(shared)} settings shared by all runs")

# %% [markdown]
# Then those that differ between methods or environments (a dash: the method has no such setting, or it is empty):

# %%
show.frame(different, "All settings are shared.")

# %%
show.trials(scenario)

# %% [markdown]
# ## Axes and columns
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
# | `train_return_mean` | mean return of training episodes that ended since the previous row; of older parameters |
# | `staleness_mean`, `staleness_max` | server steps between a task's dispatch and the use of its gradient |
# | `stop_at` | return at which the run was set to end, empty if at none |
# | `staleness_counts` | their histogram since the previous row: `1:5/9:2` is five arrivals of 1 and two of 9 |

# %% [markdown]
# ## Throughput

# %%
show.table(base, "throughput")

# %% [markdown]
# ## Machines

# %%
show.frame(settings.machines(runs))

# %% [markdown]
# ## Versions
#
# Where `git_dirty` is true the commit had uncommitted changes; `code_digest` says which code it was.

# %%
show.frame(settings.versions(runs))

# %% [markdown]
# ## Digests
#
# A digest stands for a run's settings and for the code that its algorithm uses. Runs with equal digests, made on one
# kind of processor, have byte-identical logs.

# %%
show.frame(settings.digests(runs), fold=f"{len(runs)} runs and their digests")
