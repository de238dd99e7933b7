"""What a whole sequence comes to, kept up to date at every step: cells without weights."""

from .language import cell, maximum, where


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
