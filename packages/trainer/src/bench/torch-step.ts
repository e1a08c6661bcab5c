/** The same steps in PyTorch, on one thread. Takes the workload as JSON, prints a StepTime as JSON. */
export const TORCH_STEP = `
import json, statistics, sys, time
import torch
from torch import nn
from torch.nn import functional as F

work = json.loads(sys.argv[1])
L, H, d, T, V, B = (work[name] for name in ("layers", "heads", "dim", "context", "vocabulary", "batch"))
torch.set_num_threads(1)
torch.manual_seed(1)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.mix = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.widen, self.narrow = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x):  # [B, T, d]
        q, k, v = self.qkv(self.norm1(x)).view(B, T, 3, H, d // H).permute(2, 0, 3, 1, 4)  # [B, H, T, d/H]
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.mix(mixed.transpose(1, 2).reshape(B, T, d))
        return x + self.narrow(F.gelu(self.widen(self.norm2(x)), approximate="tanh"))


class Gpt2(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(V, d), nn.Embedding(T, d)
        self.blocks = nn.Sequential(*(Block() for _ in range(L)))
        self.norm, self.head = nn.LayerNorm(d), nn.Linear(d, V, bias=False)

    def loss(self, inputs, targets):
        x = self.blocks(self.tokens(inputs) + self.positions.weight)
        logits = self.head(self.norm(x))  # [B, T, V]
        return F.cross_entropy(logits.view(-1, V), targets.view(-1))


model = Gpt2()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
inputs, targets = torch.randint(V, (B, T)), torch.randint(V, (B, T))
wall, cpu = [], []
began = time.perf_counter()
for step in range(work["steps"] + 1):
    start = time.perf_counter(), time.process_time()
    loss = model.loss(inputs, targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    loss.item()
    wall.append(1000 * (time.perf_counter() - start[0]))
    cpu.append(1000 * (time.process_time() - start[1]))
    if step >= 2 and time.perf_counter() - began > work["seconds"]:
        break
times = {"wallMs": statistics.median(wall[1:]), "cpuMs": statistics.median(cpu[1:]), "steps": len(wall) - 1}
print(json.dumps({"version": torch.__version__, **times}))
`;
