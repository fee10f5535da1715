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

scenario = load_scenario("config/communication.yaml")
base = Path("results/communication")

# %%
from frl.report import show
from frl.report.tables import communication

# %% [markdown]
# # Communication
#
# ## What leaves an agent, and what never does

# %%
show.frame(communication.privacy(scenario))

# %% [markdown]
# Gradients are not data, but they are computed from data: nothing here proves that no observation could be guessed from
# them. What the table says is what is sent. The messages are of a type that has no place for anything else, and their
# size does not depend on how much an agent has seen.

# %% [markdown]
# ## Messages and bytes

# %%
show.table(base, "communication")

# %% [markdown] tags=["figure-communication"]
# ## Uploading only what has changed
#
# LAPG, lazily aggregated policy gradient (Chen, Zhang, Giannakis and Başar, IEEE TCNS 2022, arXiv:1812.03239), is
# synchronous. In every round $k$ the server broadcasts $\theta^k$, and every agent $m$ computes a gradient $g_m$ there.
# But it uploads something only if that has changed enough since its last upload, and then the change alone:
#
# $$ \delta_m = g_m(\theta^k) - g_m(\text{last uploaded}) $$
#
# The server keeps the sum of all that was ever uploaded, $\nabla \leftarrow \nabla + \sum_m \delta_m$, and steps along
# it: $\theta^{k+1} = \theta^k + \alpha \nabla$. Of an agent that keeps silent it so uses an old gradient. Enough:
#
# $$ \lVert \delta_m \rVert^2 \ge \frac{1}{\alpha^2 N^2} \sum_{d=1}^{D} \xi_d \lVert \theta^{k+1-d} -
# \theta^{k-d} \rVert^2 + c \, \sigma_m^2 $$
#
# or that fewer than $D$ steps were made yet. The first term compares with how far the policy has moved of late. In the
# second, $\sigma_m^2$ is the noise of the agent's gradient, which it estimates from the spread over its own
# environments, and $c$ is the *variance multiplier*, 6 in the paper. It is needed because gradients are noisy: even if
# $\theta$ stood still, two gradients would differ by $\lVert \delta_m \rVert^2 \approx 2 \sigma_m^2$ on average. With
# $c = 0$ this noise makes (almost) every agent upload every round; with $c$ well above 2 an agent speaks up only when
# the change stands out of the noise, and may stay silent for long.

# %% tags=["figure-uploads"]
show.figure(
    scenario,
    base,
    "uploads",
    "Who uploaded when. Each line is an agent, each mark an upload; the first seed of each case, at its largest N.",
)

# %% tags=["figure-communication"]
show.figure(
    scenario,
    base,
    "communication",
    "Bytes that a method's agents upload in a whole run, as a saving over the baseline's (+), against the share "
    "that it keeps of the baseline's gain in return over the initial policy, both at equal samples. Bars: "
    "intervals; hollow: unequal agents; numbers beside the points: N.",
)

# %% [markdown] tags=["figure-communication"]
# The baseline is the first method that the scenario lists for the figure. Each method has a step size of its
# own. Controls, where there are any, need no rule: agents that toss a coin about every upload, or fewer rounds with
# larger batches. Where agents are unequal, each has its own physics, initial states and weight of rewards.

# %% [markdown] tags=["figure-variance_multiplier"]
# ## The variance multiplier

# %% tags=["figure-variance_multiplier"]
show.figure(
    scenario,
    base,
    "variance_multiplier",
    "What the multiplier c trades, all else equal: the share of answers that are uploaded, the most rounds in a row in "
    "which an agent kept silent, and the mean return. Dots: single seeds; bars: 95 % confidence interval of the mean; "
    "dashed: the baseline, at its own step size.",
)
