// Resident, in Swift: swiftc -O shout.swift
import Foundation

struct Call: Decodable { let id: String, input: String? }
struct Answer: Encodable { let id: String, ok: Bool, result: String?, error: String? }

while let line = readLine() {
    guard let call = try? JSONDecoder().decode(Call.self, from: Data(line.utf8)) else { continue }
    var answer: Answer
    do {
        let text = try call.input.map { try String(contentsOfFile: $0, encoding: .utf8) } ?? ""
        answer = Answer(id: call.id, ok: true, result: text.uppercased(), error: nil)
    } catch {
        answer = Answer(id: call.id, ok: false, result: nil, error: "\(error)")
    }
    FileHandle.standardOutput.write(try JSONEncoder().encode(answer) + Data("\n".utf8))
}
