import Model
import Scheduling
import Settings

extension ServeSettings {
    /// What the operator keeps back of the machine's resources.
    var reserves: [Pressure.Resource: Int64] {
        var reserves: [Pressure.Resource: Int64] = [:]
        reserves[.diskSpace] = diskReserve?.bytes
        reserves[.memory] = memoryReserve?.bytes
        return reserves
    }
}
