class RedfishBMC:
    pass
