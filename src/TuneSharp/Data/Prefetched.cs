using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;

namespace TuneSharp.Data;

/// <summary>A sequence made ahead of its consumer, on a thread of its own.</summary>
internal static class Prefetched
{
    /// <summary>The same items, some of them made before they are asked for.</summary>
    /// <typeparam name="T">What is made; items nobody takes are disposed.</typeparam>
    /// <param name="source">Makes them; enumerated and disposed on the thread.</param>
    /// <param name="ahead">How many are made ahead.</param>
    /// <param name="stop">Ends the enumeration early, without an exception.</param>
    /// <returns>What goes wrong on the thread is thrown here.</returns>
    public static IEnumerable<T> Of<T>(IEnumerable<T> source, int ahead, CancellationToken stop)
        where T : IDisposable
    {
        using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(stop);
        using BlockingCollection<T> queue = new(ahead);
        ExceptionDispatchInfo? failure = null;
        Thread worker = new(() => failure = Fill(source, queue, end.Token)) { IsBackground = true, Name = "batches" };
        worker.Start();
        try
        {
            foreach (T item in queue.GetConsumingEnumerable(CancellationToken.None)) // the worker ends the queue when stopped
            {
                if (end.IsCancellationRequested)
                {
                    item.Dispose();
                    break;
                }

                yield return item;
            }

            if (!end.IsCancellationRequested)
            {
                worker.Join();
                failure?.Throw();
            }
        }
        finally
        {
            end.Cancel();
            worker.Join();
            while (queue.TryTake(out T? left))
            {
                left.Dispose();
            }
        }
    }

    private static ExceptionDispatchInfo? Fill<T>(IEnumerable<T> source, BlockingCollection<T> queue, CancellationToken stop)
        where T : IDisposable
    {
        try
        {
            using IEnumerator<T> items = source.GetEnumerator();
            while (!stop.IsCancellationRequested && items.MoveNext())
            {
                try
                {
                    queue.Add(items.Current, stop);
                }
                catch (OperationCanceledException)
                {
                    items.Current.Dispose();
                    return null;
                }
            }

            return null;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            return ExceptionDispatchInfo.Capture(e);
        }
        finally
        {
            queue.CompleteAdding();
        }
    }
}
