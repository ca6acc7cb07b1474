"""What runs off the event loop, in threads.

runner        the life of an operation: queue, progress, cancel, restart
fit           fits a label model on stored votes and side data
side_data     side data of a fit, in the order of the items
predict       models in memory, and their predictions
next_to_label which items to label by hand
label_model   the label model's class, loaded late; how much it may label at once
prompts       plans and runs of prompts
spending      what runs of prompts may spend and have spent
"""
