import { createBench } from './bench.ts';
import { seedBerth } from './seed.ts';
import { withBerth } from './servers.ts';
import { pushSteadily } from './push-load.ts';
import { percentile } from './statistics.ts';
import { run } from './processes.ts';
const cmd=process.argv[2]!; const rate=Number(process.argv[3] ?? 20);
const bench = createBench({runs:1,quick:false,registryLog:true,berth:cmd,say:console.log},'/tmp/bx');
try {
const d=bench.directory('g');
await seedBerth(bench,d,{garbage:{repository:'bench/garbage',manifests:5000}});
await run(['sync']);
await withBerth(bench,{data:d,args:['--gc-interval','30d']},async s=>{
  const f=(l:string,p:any[])=>{const t=p.map(x=>x.took); console.log(l,p.length,'p50',percentile(t,.5).toFixed(1),'p90',percentile(t,.9).toFixed(1),'p99',percentile(t,.99).toFixed(1));};
  await pushSteadily(s.url,rate,Bun.sleep(2000));
  f('calm',await pushSteadily(s.url,rate,Bun.sleep(5000)));
  const g=rate<0?Promise.resolve({elapsed:0,stdout:'',stderr:''}):run([cmd,'gc','--data',d,'--output','json']);
  const p=await pushSteadily(s.url,rate,g); const r=await g;
  f('gc',p); console.log(r.elapsed|0, r.stdout, r.stderr.slice(0,3000));
});
} finally { bench.close(); }
