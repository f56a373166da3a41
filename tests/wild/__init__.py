"""Files of RegNets as programs leave them, each made on the spot, and what is to be found in them.

All are of one small network, so that whoever reads them must find the same weights and give the same answer.
"""
