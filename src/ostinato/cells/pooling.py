"""What a whole sequence comes to, kept up to date at every step: cells without a recurrent matrix."""

from .language import cell, exp, maximum, minimum, where


@cell(state="mean count")
def running_mean(x, s):
    """The mean of all steps so far, unit by unit.

    count = count + 1
    mean = mean + (x - mean) / count

    After the last step it is the mean over time (average pooling); a stream has it at every step.
    """
    count = s.count + 1
    return s.mean + (x.raw - s.mean) / count, count


@cell(state="most count")
def running_max(x, s):
    """The largest value of all steps so far, unit by unit.

    most = max(most, x), or x at the first step

    After the last step it is the maximum over time (max pooling); a stream has it at every step.
    """
    return where(s.count > 0, maximum(s.most, x.raw), x.raw), s.count + 1


@cell(gates="a", state="mean weight most")
def running_attention(x, s):
    """The mean of all steps so far, in which each step counts as much as it asks for, unit by unit.

    a = W_a x + b_a                        how much this step asks for, as a logarithm
    mean = Σ exp(a_t) ⊙ x_t / Σ exp(a_t)   over all steps t so far

    computed step by step, with the largest a so far (`most`) taken off, so that no power is too large:

    most = max(s.most, a), or a at the first step
    weight = exp(s.most - most) ⊙ s.weight + exp(a - most)
    mean = s.mean + exp(a - most) / weight ⊙ (x - s.mean)

    After the last step it is attention pooling, in the form that weighs each feature by itself (Shen et al. 2018,
    "DiSAN", source2token, with one layer instead of two). The input itself enters, so D must equal H.
    """
    most = where(s.weight > 0, maximum(s.most, x.a), x.a)
    share = exp(x.a - most)
    # Before the first step the old weight is zero, and its power, which may be any, must stay a number.
    weight = exp(minimum(s.most - most, 0)) * s.weight + share
    return s.mean + share / weight * (x.raw - s.mean), weight, most
