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
from frl.report import show

# %% [markdown]
# # Results

# %% [markdown] tags=["figure-sample_complexity"]
# ## Sample complexity
#
# How much must *one* agent sample until the shared policy is good? If N agents help, each should need less.

# %% tags=["figure-sample_complexity"]
show.figure(
    scenario,
    base,
    "sample_complexity",
    "Evaluation return against environment steps per agent (all agents' steps divided by N). Thick: mean over seeds; "
    "band: 95 % confidence interval of the mean at each point (none below 3 seeds); thin: every seed; dashed: the "
    "poster's mean, digitised, where it has the curve and as far as ours goes.",
)

# %% tags=["figure-sample_complexity"]
show.table(base, "samples_to_threshold")

# %% [markdown] tags=["figure-time_complexity"]
# ## Time complexity
#
# The same runs against simulated time, in which agents differ in speed and a synchronous server waits for the slowest.

# %% tags=["figure-time_complexity"]
show.figure(
    scenario,
    base,
    "time_complexity",
    "Evaluation return against simulated time. Colour: method; shade and marker: N. Each curve ends when its budget of "
    "environment steps is spent, so a method that wastes no time ends early.",
)

# %% tags=["figure-time_complexity"]
show.table(base, "time_to_threshold")

# %% tags=["figure-time_complexity"]
show.table(base, "time_ratio")

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
    "Left: samples to the threshold without the lookahead over those with it, all else equal, with 98.75 % intervals. "
    "Right: the share of the bias of Vanilla's direction that the lookahead removes in theory (agents equally fast).",
)

# %% [markdown] tags=["figure-fleets"]
# ## More and less equal agents

# %% tags=["figure-fleets"]
show.figure(
    scenario,
    base,
    "fleets",
    "Simulated time that FedPG's seeds need to the threshold over what AFedPG's need, against slowest over fastest "
    "agent. FedPG was trained once and re-timed for each fleet: what it learns does not depend on how long it waits.",
)

# %% [markdown]
# ## Final returns

# %%
show.table(base, "final_return")

# %% [markdown]
# ## Missing and diverged runs
#
# No run is dropped: one that is missing is listed, one that diverged is kept in every mean at its last finite return
# and marked by a cross in the figures.

# %%
show.incomplete(base)

# %% [markdown]
# ## How far to trust an interval
#
# A 95 % interval from few seeds holds the truth less often than 95 % of the time if the seeds are not normally
# distributed. On Swimmer they often are not: some leave a plateau at 30 to 35 and some do not. This table simulates how
# often the intervals of means used here hold the true mean. Verdicts do not rest on mean returns but on log times to
# the threshold; how often those are wrong is simulated in the tests (tests/unit/test_power.py).

# %%
show.interval_coverage(scenario)
