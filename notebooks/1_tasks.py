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
from frl.report import show, tasks
from frl.report.gaits import section

# %% [markdown]
# ## Task by task

# %%
tasks.sections(scenario, base)

# %% tags=["figure-time_curves"]
show.figure(
    scenario,
    base,
    "time_curves",
    "Return against simulated time. Thin: single seeds; thick: the median of the seeds; dots at the right edge: "
    "final returns; both without runs that are set to stop at a return. Dashed: the poster's mean, digitised, with the "
    "method's marker.",
    fold="Return against simulated time, every seed",
)

# %%
section.films(base)

# %% [markdown] tags=["figure-staleness"]
# ### How old updates are
#
# While an agent computes, the server goes on with what the others send.

# %% tags=["figure-staleness"]
show.figure(
    scenario,
    base,
    "staleness",
    "How many steps the server makes from the dispatch of a task to the step that uses its update, over all "
    "updates of all seeds; dashed: the median.",
)

# %% [markdown] tags=["figure-sensitivity"]
# ## Sensitivity to the step size
#
# Does a larger step size do what more agents do? Each curve has its own best step size.

# %% tags=["figure-sensitivity"]
show.figure(
    scenario,
    base,
    "sensitivity",
    "What the seeds need to the threshold (geometric mean, with the horizon for those that never get there) "
    "against the step size. Left: samples, a curve for each N; right: simulated time, a curve for each method. A "
    "marker is filled as far as seeds got there; bars: intervals.",
)

# %% [markdown] tags=["figure-lookahead"]
# ## What the lookahead adds
#
# AFedPG and Vanilla differ in the lookahead alone. The smaller the weight α of an arriving gradient, the longer the
# momentum remembers old ones, and the more there is for the lookahead to repair.

# %% tags=["figure-lookahead"]
show.figure(
    scenario,
    base,
    "lookahead",
    "What each seed needs to the threshold without the lookahead and with it, all else equal. Lines join equal "
    "seeds; hollow: not there by the claim's horizon (dotted); bar: the geometric mean, with the horizon for "
    "those.",
)

# %% [markdown] tags=["figure-fleets"]
# ## More and less equal agents

# %% tags=["figure-fleets"]
show.figure(
    scenario,
    base,
    "fleets",
    "Simulated time that FedPG needs to the threshold over AFedPG's (geometric means), against slowest over fastest "
    "agent. FedPG was trained once and re-timed for each fleet: what it learns does not depend on how long it waits.",
)

# %% [markdown] tags=["figure-communication"]
# ## Uploading only what has changed
#
# The baseline is the first method that the scenario lists for the figure. Each method has a step size of its
# own. Controls, where there are any, need no rule: agents that toss a coin about every upload, or fewer rounds with
# larger batches. Where agents are unequal, each has its own physics, initial states and weight of rewards.

# %% tags=["figure-communication"]
show.figure(
    scenario,
    base,
    "communication",
    "Bytes that a method's agents upload in a whole run, as a saving over the baseline's (+), against the share "
    "that it keeps of the baseline's gain in return over the initial policy, both at equal samples. Bars: "
    "intervals; hollow: unequal agents; numbers beside the points: N.",
)

# %% tags=["figure-uploads"]
show.figure(
    scenario,
    base,
    "uploads",
    "Who uploaded when. Each line is an agent, each mark an upload; the first seed of each case, at its largest N.",
)

# %% [markdown] tags=["figure-traffic"]
# ## What a return costs in bytes

# %% tags=["figure-traffic"]
show.figure(
    scenario,
    base,
    "traffic",
    "Bytes of both directions against samples, both per agent and to the threshold: geometric means with their "
    "intervals, up to what all runs are known for. Hollow: not every seed got there. Dashed: an eighth of the first "
    "method's bytes.",
)

# %% [markdown] tags=["figure-variance_multiplier"]
# ### The variance multiplier

# %% tags=["figure-variance_multiplier"]
show.figure(
    scenario,
    base,
    "variance_multiplier",
    "What the multiplier c trades, all else equal: the share of answers that are uploaded, the most rounds in a row in "
    "which an agent kept silent, and the mean return. Dots: single seeds; bars: 95 % confidence interval of the mean; "
    "dashed: the baseline, at its own step size.",
)

# %% tags=["figure-communication"]
show.table(base, "communication")
