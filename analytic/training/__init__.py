"""Training: the rules, their losses at every time, and what follows from them.

learners            one class a rule: gradient flow and descent, momentum, stochastic descent
training_rule       what a rule is; preconditioner, schedules and updates are what it is made of
dynamics            the loss against t, N and T, for every rule
correlation         the two-point function; contour and convolution take it to times
stochastic_gradient fresh samples at every batch size
stochastic_rules    fresh and reused samples as rules; reshuffled_epochs their epochs
scheduled_training  rates, batches and momenta that change; difference_equation, complex_modes
decomposition       the loss by source
stability           critical steps
learning_curves     single modes; stopping and annealing: the best time, the best schedule
"""
