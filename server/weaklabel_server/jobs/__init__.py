"""What runs off the event loop, in threads and processes.

runner        the life of an operation: queue, progress, cancel, restart
fit           fits of label models: what is possible, and their way into a worker
schedule      which fit is next
turns         waiting for it
workers       processes that fit
side_data     side data of a fit, in the order of the items
predict       models in memory, and their predictions
analysis      reports on votes and models, explanations, sets
model_files   models that were fitted elsewhere
stored_items  items that a request names, as positions
next_to_label which items to label by hand
label_model   the label model's class, loaded late; how much it may label at once, and compile
prompts       plans and runs of prompts
spending      what runs of prompts may spend and have spent
"""
