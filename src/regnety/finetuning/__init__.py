"""From labelled photographs to a classifier of one's own: the classifier alone without torch, then all layers."""
