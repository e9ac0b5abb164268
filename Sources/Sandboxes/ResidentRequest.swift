import Model

/// What is written to the standard input of a resident program: one line for each call.
enum ResidentRequest {
    /// The line of a call, before and after its number.
    static func line(input: String?, output: String, event: JSONValue?) -> (beginning: [UInt8], end: [UInt8]) {
        let (beginning, end) = call(input: input, output: output, event: event)
        return (beginning, end + [UInt8(ascii: "\n")])
    }

    /// The call of an invocation, before and after its number.
    static func call(of invocation: SandboxInvocation, in places: InstancePlaces) -> (beginning: [UInt8], end: [UInt8])
    {
        call(
            input: invocation.inputFileName.map { "\(places.input)/\($0)" }, output: places.output,
            event: invocation.event)
    }

    /// A call, before and after its number.
    static func call(input: String?, output: String, event: JSONValue?) -> (beginning: [UInt8], end: [UInt8]) {
        let inputText = input.map { JSONValue.string($0) } ?? .null
        var end = Array("\",\"input\":".utf8)
        end += inputText.bytes()
        end += Array(",\"output_dir\":".utf8)
        end += JSONValue.string(output).bytes()
        end += Array(",\"event\":".utf8)
        end += (event ?? .null).bytes()
        return (Array("{\"id\":\"".utf8), end + [UInt8(ascii: "}")])
    }

    /// Appends the number in decimal digits.
    static func append(_ number: UInt64, to out: inout [UInt8]) {
        withUnsafeTemporaryAllocation(byteCount: 20, alignment: 1) { digits in
            var (rest, start) = (number, 20)
            repeat {
                start -= 1
                digits[start] = UInt8(truncatingIfNeeded: rest % 10) + 0x30
                rest /= 10
            } while rest > 0
            out.append(contentsOf: digits[start..<20])
        }
    }
}

extension SandboxInvocation {
    /// The call as a program gets it that answers requests: with the invocation's name for a number.
    package func call(in places: InstancePlaces) -> [UInt8] {
        let (beginning, end) = ResidentRequest.call(of: self, in: places)
        return beginning + JSONValue.string(id).bytes().dropFirst().dropLast() + end
    }
}
