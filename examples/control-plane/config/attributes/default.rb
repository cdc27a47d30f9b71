# What the recipe uses when nothing else is said.
default['control']['host'] = 'the control plane'
