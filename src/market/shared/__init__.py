"""The market's vocabulary: what every module may say. Imports nothing of ours."""
