# What the recipe uses when nothing else is said.
default['metrics']['folder'] = '/var/lib/metrics'
