"""Before the hours are spent: what a recording is fit for, what is wrong with it, what it costs."""
